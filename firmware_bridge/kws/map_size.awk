# What the keyword spotter takes by the map of GNU ld: awk -v without=float -f map_size.awk kws.map
# Flash is text and constants of ekws_*.o and model*.o; of the two front ends one is left out.
function number(hex,    value, i) { # mawk reads no hexadecimal
  for (i = 3; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
  return value
}

/^Linker script and memory map/ { linked = 1 }
!linked { next }
/^ \.[a-z]/ { section = $1; size = $3; object = $4 }
/^ \.[a-z]/ && NF == 1 { next } # a long name has a line of its own
/^ +0x/ && section != "" && object == "" { size = $2; object = $3 }
section != "" && object != "" {
  name = object
  sub(/.*\//, "", name)
  ours = name ~ /^(ekws_|model).*\.o$/ && name !~ "_" without "\\.o$"
  if (ours && section ~ /^\.(text|rodata)/) flash += number(size)
  if (ours && section ~ /^\.(data|bss)/) memory += number(size)
}
{ if (object != "" || $0 !~ /^ \.[a-z]/) { section = ""; object = "" } }
END { printf "map flash %d memory_of_its_own %d\n", flash, memory }
