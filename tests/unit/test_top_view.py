"""The view of `edgekws top` fits its terminal, whatever the daemon answers."""

import unicodedata
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from edgekws.cli.top_view import BLOCKS, PLAIN, Screen, fitted, padded, sparkline, view
from edgekws.events import Detection
from edgekws.runtime.control import Status
from edgekws.runtime.reception import Visits
from edgekws.runtime.sight import Scores
from tests.control_socket import HEALTH

RATE: Final = 16_000
ROW: Final = 640


def status(*latest: Detection) -> Status:
    return Status(
        health=replace(HEALTH, state="degraded", reason="the disk is full"),
        muted_seconds=4.0,
        reload_failure="",
        visits=Visits(),
        cpu_seconds=1.0,
        peak_rss_bytes=41_000_000,
        latest=latest,
    )


def scores(*labels: str, rows: int = 200) -> Scores:
    """Return scores of which each label's rise at another time."""
    return Scores(
        labels=labels,
        on=tuple(None if label.startswith("_") else 0.7 for label in labels),
        sample_rate=RATE,
        ends=tuple(range(ROW, (rows + 1) * ROW, ROW)),
        scores=tuple(
            tuple(float(row // 10 == 3 * at) for at in range(len(labels))) for row in range(rows)
        ),
    )


def cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(bool(unicodedata.combining(letter)) for letter in text)


def test_it_shows_health_level_scores_and_what_was_heard() -> None:
    heard = Detection(7, "开灯", 0.93, 100 * ROW, 4.0)
    lines = view(status(heard), scores("_silence_", "开灯", "off"), 3.21, Screen())
    assert lines[0] == "edgekws is degraded: the disk is full for 4 s more"
    assert "USB" in lines[1]
    assert "level  -32 dBFS" in lines[2]
    assert "cpu 3.2 %  memory 41 MB at most" in lines[2]
    assert "dropped frames 7" in lines[3]
    assert [line.split()[0] for line in lines[6:9]] == ["开灯", "off", "_silence_"]
    assert lines[-1] == '   4.0 s ago     7  "开灯"  0.93'


def test_scores_run_from_the_left_to_now() -> None:
    (line,) = [x for x in view(status(), scores("a", "b"), 0.0, Screen()) if x.startswith("b ")]
    drawn = line.split()[2]
    assert drawn.count(BLOCKS[-1]) in (2, 3)  # 0.4 s of the 8 s that 46 letters show
    assert abs(drawn.index(BLOCKS[-1]) - len(drawn) * 30 / 200) <= 1
    assert line.endswith(" on 0.70")


def test_more_labels_than_rows_are_counted() -> None:
    names = tuple(f"label {n}" for n in range(50))
    lines = view(status(), scores(*names, rows=4), 0.0, Screen(rows=20))
    assert len(lines) <= 20
    (more,) = [line for line in lines if "more labels" in line]
    shown = sum(line.startswith("label ") for line in lines)
    assert more == f"  and {50 - shown} more labels"


@settings(max_examples=40)  # they cost 80 ms each
@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.lists(st.text(max_size=30), min_size=1, max_size=12, unique=True),
)
def test_no_line_is_wider_or_moves_the_cursor(columns: int, rows: int, labels: list[str]) -> None:
    heard = Detection(1, labels[0], 0.5, ROW, 0.04)
    lines = view(status(heard), scores(*labels, rows=4), 1.0, Screen(columns, rows))
    assert len(lines) <= max(rows, 8)
    for line in lines:
        assert cells(line) <= max(columns, 40)
        assert line.isprintable()


def test_heights_are_those_of_the_values() -> None:
    assert sparkline([0.0, 0.5, 0.99, 1.0, -1.0, 7.0], BLOCKS) == "▁▅██▁█"
    assert sparkline([0.0, 1.0], PLAIN) == "_#"


def test_texts_are_cut_and_filled_by_cells() -> None:
    assert fitted("a\x1b[2Jb", 9) == "a?[2Jb"
    assert fitted("开灯", 3) == "开"
    assert padded("开灯", 6) == "开灯  "
    assert padded("开灯", 6, right=True) == "  开灯"
