"""The C headers that are generated: fresh, and right for any label set."""

import re
from pathlib import Path

import pytest

from edgekws.errors import UsageError
from edgekws.link.codegen import labels_header, protocol_header, write_headers
from edgekws.runtime.wiring import find_bundle, find_shipped
from tests.bundles import make_bundle
from tests.commands import edgekws
from tests.firmware_tools import FIRMWARE, run, tool

GENERATED = FIRMWARE / "generated"
HINT = (
    "run: edgekws link generate --bundle models/bundles/commands-12 --out firmware_bridge/generated"
)


def test_the_generated_c_is_fresh() -> None:
    labels = find_bundle(find_shipped()).manifest.model.labels
    assert (GENERATED / "ekws_protocol.h").read_text() == protocol_header(), HINT
    assert (GENERATED / "ekws_labels.h").read_text() == labels_header(labels), HINT


def test_the_command_writes_both_headers_for_a_bundle(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tones")
    done = edgekws("link", "generate", "--bundle", bundle, "--out", tmp_path / "c")
    assert done.code == 0, done.stderr
    assert {Path(line["path"]).name for line in done.lines} == {"ekws_protocol.h", "ekws_labels.h"}
    assert "EKWS_LABEL_YES = 2," in (tmp_path / "c" / "ekws_labels.h").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = edgekws("link", "generate", "--out", tmp_path / "file" / "c")
    assert done.code == 2
    assert "cannot be written" in done.error


AWKWARD = ("x", "x!", "x 2", "X 1", "开灯", "count", "names", "7", '"*/\\?', "\n", "é", "e")


def test_awkward_labels_become_different_names_and_keep_their_text(tmp_path: Path) -> None:
    text = labels_header(AWKWARD)
    assert len(set(re.findall(r"EKWS_LABEL_(\w+) = \d+,", text))) == len(AWKWARD)
    write_headers(tmp_path, AWKWARD)
    source = tmp_path / "names.c"
    source.write_text(
        '#include <stdio.h>\n#include "ekws_protocol.h"\n#include "ekws_labels.h"\n'
        "int main(void) { static const char *const names[] = EKWS_LABEL_NAMES; unsigned i;\n"
        'for (i = 0; i < EKWS_LABEL_COUNT; i++) { printf("%s%c", names[i], 1); } return 0; }\n'
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{tmp_path}"]
    run([tool("gcc"), *flags, "-o", tmp_path / "names", source])
    assert tuple(run([tmp_path / "names"]).split("\x01")[:-1]) == AWKWARD


@pytest.mark.parametrize("labels", [(), ("on", "on")])
def test_a_label_set_without_labels_or_with_twins_is_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="different labels"):
        labels_header(labels)
