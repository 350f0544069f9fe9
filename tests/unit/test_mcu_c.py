"""Arrays and strings of C, whatever the labels: Python reads both alike, but for their braces."""

import ast
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.export.mcu_c import INDENT, WIDTH, lines, string


@settings(max_examples=40)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=120), max_size=30))
def test_labels_of_any_words_are_read_back(labels: list[str]) -> None:
    rows = lines(map(string, labels)).splitlines()
    texts = ast.literal_eval(f"[{''.join(rows).strip()}]")
    assert [text.encode("latin-1").decode() for text in texts] == labels


@settings(max_examples=40)
@given(st.lists(st.integers(-(2**31), 2**31), min_size=1))
def test_lines_are_full_and_no_longer_than_they_may_be(numbers: list[int]) -> None:
    rows = lines(map(str, numbers)).splitlines()
    assert all(row.startswith(INDENT) and len(row) <= WIDTH for row in rows)
    for row, after in itertools.pairwise(rows):
        assert len(row) + 1 + len(after.split()[0]) + 1 > WIDTH
