#!/bin/sh
# Installs what lies beside it: edgekws in a venv of its own, the bundle, a systemd unit.
# Whatever fails, an older installation goes on as it was. Exit codes: 1 other, 2 usage, 3 not this
# board, 4 not this Python, 5 no venv module, 6 damaged archive, 7 packages, 8 the self-check or
# listen.toml refused.
set -eu
umask 022
LC_ALL=C ORT_DISABLE_TELEMETRY=1
export LC_ALL ORT_DISABLE_TELEMETRY
unset PYTHONPATH PYTHONHOME

usage() {
  cat <<'END'
usage: sh install.sh [--system | --user] [options]
  --system          a service of the machine, in /opt/edgekws (the default for root)
  --user            a service of this user, in ~/.local/share/edgekws
  --prefix DIR      another folder
  --python PYTHON   another interpreter than python3
  --wheelhouse DIR  take packages from DIR, not from the network (default: ./wheelhouse if it is there)
  --no-start        install, do not start
  --uninstall       remove it; listen.toml stays
  --purge           remove it, listen.toml too
END
}

say() { printf '%s\n' "$*"; }

fail() { # CODE MESSAGE
  code=$1
  shift
  printf 'install.sh: error: %s\n' "$*" >&2
  exit "$code"
}

need_value() { # OPTION VALUES...
  [ $# -ge 2 ] || fail 2 "$1 needs a value; see --help"
}

read_options() {
  mode='' prefix='' python='' wheelhouse='' start=yes action=install
  while [ $# -gt 0 ]; do
    case $1 in
      --system | --user) mode=${1#--} ;;
      --prefix) need_value "$@" && prefix=$2 && shift ;;
      --python) need_value "$@" && python=$2 && shift ;;
      --wheelhouse) need_value "$@" && wheelhouse=$2 && shift ;;
      --no-start) start=no ;;
      --uninstall) action=uninstall ;;
      --purge) action=purge ;;
      --help | -h) usage && exit 0 ;;
      *) fail 2 "unknown option $1; see --help" ;;
    esac
    shift
  done
}

# --- where things go

choose_places() {
  here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
  if [ -f "$here/installed.conf" ]; then # this script's own copy in an installation
    [ "$action" != install ] || fail 2 "run install.sh of an unpacked archive to install"
    installed_mode='' installed_prefix=''
    # shellcheck source=/dev/null
    . "$here/installed.conf"
    mode=${mode:-$installed_mode} prefix=${prefix:-$installed_prefix}
  fi
  root=no
  [ "$(id -u)" != 0 ] || root=yes
  if [ -z "$mode" ]; then
    if [ $root = yes ]; then mode=system; else mode=user; fi
  fi
  if [ "$mode" = system ]; then
    [ $root = yes ] || fail 1 "--system needs root: sudo sh $0"
    prefix=${prefix:-/opt/edgekws} unit_folder=/etc/systemd/system command_folder=/usr/local/bin
  else
    prefix=${prefix:-${XDG_DATA_HOME:-$HOME/.local/share}/edgekws}
    unit_folder=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user command_folder=$HOME/.local/bin
  fi
  case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
  esac
  case $prefix in
    *[[:space:]%\'\"\\\$\|\&]*)
      fail 2 "$prefix: systemd needs a folder without spaces, quotes, %, \\, \$, | and &" ;;
  esac
  unit=$unit_folder/edgekws.service settings=$prefix/listen.toml
}

# --- what is looked at before anything is touched

check_files() {
  [ -f "$here/SHA256SUMS" ] ||
    fail 6 "$here/SHA256SUMS: missing, so the archive is not whole: copy it again"
  wrong=$(cd "$here" && sha256sum --check --quiet --strict SHA256SUMS 2>&1) ||
    fail 6 "$here: $(say "$wrong" | head -n 1): the archive is damaged, copy it again"
}

check_machine() {
  machine=$(uname -m)
  [ "$machine" = "$ARCHITECTURE" ] ||
    fail 3 "this archive is for $ARCHITECTURE ($BOARD), this machine is $machine: export for it"
}

describe_python() { # PYTHON: prints "3.13 64 glibc 2.41", nothing where it does not run
  "$1" -c 'import platform, struct, sys
libc = [part or "unknown" for part in platform.libc_ver()]
print("%d.%d" % sys.version_info[:2], struct.calcsize("P") * 8, *libc)' 2>/dev/null || true
}

supported() { # VERSION
  case " $PYTHONS " in
    *" $1 "*) return 0 ;;
  esac
  return 1
}

choose_python() {
  set -- python3
  for version in $PYTHONS; do set -- "$@" "python$version"; done
  [ -z "$python" ] || set -- "$python"
  found=''
  for candidate in "$@"; do
    about=$(describe_python "$candidate")
    [ -n "$about" ] || continue
    found="$found${found:+, }$candidate is ${about%% *}"
    supported "${about%% *}" && python=$candidate && return
  done
  oldest=python${PYTHONS##* }
  fail 4 "this archive is for Python $PYTHONS, but ${found:-$1 does not run}:" \
    "apt-get install $oldest $oldest-venv, or name one by --python"
}

older() { # VERSION THAN
  [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

check_python() { # "3.13" "64" "glibc" "2.41"
  python_version=$1
  [ "$2" = 64 ] ||
    fail 3 "$python is a $2-bit program, this archive needs a 64-bit system: install the 64-bit image"
  [ "$3" = glibc ] ||
    fail 3 "this system's C library is $3, the packages need glibc $GLIBC or newer"
  ! older "$4" "$GLIBC" ||
    fail 3 "this system has glibc $4, the packages need $GLIBC or newer"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail 5 "$python has no venv module: apt-get install python3-venv"
}

# --- the new release, built beside the old one

begin_release() {
  mkdir -p "$prefix/releases"
  exec 9>"$prefix/.lock"
  flock --nonblock 9 || fail 1 "$prefix: another install.sh is running"
  new=$(mktemp -d "$prefix/releases/XXXXXXXX")
  trap abandon EXIT
  trap 'exit 130' HUP INT TERM
  chmod 755 "$new"
}

# shellcheck disable=SC2317  # a trap calls it
abandon() {
  rm -rf "$new"
  [ -e "$prefix/current" ] || rm -f "$prefix/.lock"
  rmdir "$prefix/releases" "$prefix" 2>/dev/null || true
}

pip() {
  "$new/venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >"$new/log" 2>&1
}

pip_error() {
  grep '^ERROR: ' "$new/log" | tail -n 1 | cut -c 8- | grep . || tail -n 1 "$new/log"
}

build_release() {
  say "making a venv with $python ($python_version) in $new"
  "$python" -m venv "$new/venv" >"$new/log" 2>&1 || fail 5 "no venv: $(tail -n 1 "$new/log")"
  add_packages
  add_borrowed
  mkdir "$new/bundle"
  for file in $BUNDLE_FILES; do cp "$here/$file" "$new/bundle/"; done
  sed 's|^bundle = "\."$|bundle = "current/bundle"|' "$here/listen.toml" >"$new/listen.toml"
  cp "$here/install.sh" "$new/"
  printf "installed_mode='%s'\ninstalled_prefix='%s'\n" "$mode" "$prefix" >"$new/installed.conf"
}

add_packages() {
  [ -n "$wheelhouse" ] || [ ! -d "$here/wheelhouse" ] || wheelhouse=$here/wheelhouse
  set -- --require-hashes --only-binary=:all: -r "$here/requirements-py$python_version.txt"
  if [ -n "$wheelhouse" ]; then
    [ -d "$wheelhouse" ] || fail 2 "$wheelhouse: no such folder"
    set -- --isolated --no-index --find-links "$wheelhouse" "$@"
  fi
  say "installing packages from ${wheelhouse:-the network}"
  pip install "$@" || fail 7 "packages from ${wheelhouse:-the network}: $(pip_error)"
  pip install --isolated --no-index --no-deps "$here/$WHEEL" || fail 7 "$WHEEL: $(pip_error)"
}

# What has no wheels for Linux, or none that fits a board, is linked into the venv where $python has
# it, such as Debian's; of the rest of the system the venv sees nothing.
borrow() { # MODULE: 1 where $python has none
  theirs=$("$python" -c 'import importlib, pathlib, sys
file = pathlib.Path(importlib.import_module(sys.argv[1]).__file__)
print(file.parents[file.name == "__init__.py"])' "$1" 2>/dev/null) || return 1
  for file in "$theirs/$1" "$theirs/$1".* "$theirs/_$1".* "$theirs/$1"-*; do
    [ ! -e "$file" ] || ln -sfn "$file" "$site/"
  done
}

add_borrowed() {
  site=$("$new/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  for module in gpiozero colorzero lgpio; do borrow $module || true; done
  add_microphone
}

# PyAudio is compiled where there is none to borrow, if that can be.
add_microphone() {
  if borrow pyaudio; then
    for file in "$theirs"/PyAudio-* "$theirs"/_portaudio.*; do
      [ ! -e "$file" ] || ln -sfn "$file" "$site/"
    done
  elif [ -z "$wheelhouse" ] && [ -f /usr/include/portaudio.h ]; then
    say "compiling PyAudio"
    pip install --require-hashes -r "$here/requirements-microphone.txt" || true
  fi
  microphone=yes
  "$new/venv/bin/python" -c 'import pyaudio' 2>/dev/null || microphone=no
}

# Listens to nothing at all, with the settings in force if they are for this installation's bundle:
# the golden vectors and listen.toml are tried.
prove_release() {
  say "checking the bundle on this board"
  tried=$here/listen.toml
  ! grep -qs 'current/bundle' "$settings" || tried=$settings
  "$new/venv/bin/edgekws" listen --bundle "$new/bundle" --config "$tried" --source - \
    </dev/null >/dev/null 2>"$new/log" && return
  fail 8 "$(grep '^edgekws: error: ' "$new/log" | cut -c 17- | grep . || tail -n 1 "$new/log")"
}

switch_release() {
  rm -f "$new/log"
  kept=" (kept; a new one would be $prefix/current/listen.toml)"
  if [ ! -f "$settings" ]; then
    cp "$new/listen.toml" "$settings"
    kept=''
  fi
  ln -s "releases/${new##*/}" "$prefix/.current.new"
  mv -fT "$prefix/.current.new" "$prefix/current"
  trap - EXIT
}

remove_older_releases() {
  for folder in "$prefix/releases"/*; do
    [ "$folder" = "$new" ] || rm -rf "$folder"
  done
}

# --- the service

add_system_user() {
  groups=''
  for group in audio gpio; do
    ! grep -q "^$group:" /etc/group || groups="$groups${groups:+,}$group"
  done
  if id edgekws >/dev/null 2>&1; then
    [ -z "$groups" ] || usermod --append --groups "$groups" edgekws
  else
    useradd --system --user-group ${groups:+--groups "$groups"} --comment 'edgekws listener' \
      --no-create-home --home-dir /var/lib/edgekws --shell /usr/sbin/nologin edgekws
  fi
}

control() { # WHAT...: systemctl of this mode
  if [ "$mode" = system ]; then systemctl "$@"; else systemctl --user "$@"; fi
}

systemd_runs() {
  if [ "$mode" = system ]; then
    [ -d /run/systemd/system ]
  else
    systemctl --user show-environment >/dev/null 2>&1
  fi
}

user_namespaces() { # whether a user may have them, which the unit's PrivateUsers= and more need
  unshare --user --map-root-user --mount true 2>/dev/null
}

add_service() {
  file=edgekws-user.service without=''
  if [ "$mode" = system ]; then
    add_system_user
    file=edgekws.service
  elif ! user_namespaces; then
    without='/^PrivateUsers=/,/^$/d'
    say 'this kernel gives users no namespaces: the unit goes without what needs them'
  fi
  mkdir -p "$unit_folder" "$command_folder"
  sed -e "s|@PREFIX@|$prefix|g" -e "$without" "$here/$file" >"$unit.new"
  mv -f "$unit.new" "$unit"
  if [ ! -e "$command_folder/edgekws" ] || ours "$command_folder/edgekws"; then
    ln -sfn "$prefix/current/venv/bin/edgekws" "$command_folder/edgekws"
  fi
}

ours() { # LINK
  [ "$(readlink "$1" 2>/dev/null)" = "$prefix/current/venv/bin/edgekws" ]
}

start_service() {
  user=''
  [ "$mode" = system ] || user=' --user'
  by_hand="systemctl$user enable --now edgekws"
  if ! systemd_runs; then
    state="systemd does not run here; where it does: systemctl$user daemon-reload; $by_hand"
  elif [ $start = no ]; then
    control daemon-reload
    state="not started, as asked: $by_hand"
  elif [ $microphone = no ]; then
    control daemon-reload
    state="not started, without a microphone: $by_hand"
  else
    control daemon-reload
    control --quiet enable edgekws
    control restart edgekws
    state="started; journalctl$user -u edgekws -f shows what it hears"
  fi
}

report() {
  # shellcheck disable=SC2153  # from install.conf
  say "$NAME $VERSION is installed in $prefix"
  say "  settings   $settings$kept"
  say "  service    $state"
  [ "$mode" = system ] || say "             to run without a login: loginctl enable-linger"
  say "  try it     $prefix/current/venv/bin/edgekws doctor --bundle $prefix/current/bundle"
  [ $microphone = yes ] ||
    say "  microphone none yet: sudo apt-get install python3-pyaudio, then run install.sh again"
  say "  remove it  sh $prefix/current/install.sh --uninstall"
}

# --- the way back

uninstall() {
  [ -e "$prefix/current" ] || [ -d "$prefix/releases" ] || fail 1 "$prefix: nothing is installed there"
  if grep -qs "$prefix/current/" "$unit"; then
    ! systemd_runs || control --quiet disable --now edgekws || true
    rm -f "$unit"
    ! systemd_runs || control daemon-reload
    ! ours "$command_folder/edgekws" || rm -f "$command_folder/edgekws"
    [ "$mode" != system ] || remove_system_user
  fi
  rm -rf "$prefix/current" "$prefix/releases" "$prefix/.lock" "$prefix/.current.new"
  [ $action != purge ] || rm -f "$settings"
  [ "$action $mode" != "purge system" ] || rm -rf /var/lib/edgekws
  rmdir "$prefix" 2>/dev/null || true
  say "removed from $prefix"
  [ ! -f "$settings" ] || say "  $settings is still there: --purge removes it too"
}

remove_system_user() {
  ! grep -q '^edgekws:.*:edgekws listener:' /etc/passwd || userdel edgekws
}

main() {
  read_options "$@"
  choose_places
  [ $action = install ] || { uninstall && return; }
  check_files
  # shellcheck source=/dev/null
  . "$here/install.conf"
  check_machine
  choose_python
  # shellcheck disable=SC2086  # four words
  check_python $about
  begin_release
  build_release
  prove_release
  switch_release
  add_service
  start_service
  remove_older_releases
  report
}

main "$@"
exit
