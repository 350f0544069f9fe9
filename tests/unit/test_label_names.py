"""Names of labels that would be taken for another one are refused; words are not."""

import pytest

from edgekws.errors import DataError
from edgekws.runtime.tree import BACKGROUND
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.label_names import check_label_names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("silence", SILENCE),
        ("_silence", SILENCE),
        ("_Silence_", SILENCE),
        ("silense", SILENCE),
        ("unknown_", UNKNOWN),
        ("_unkown_", UNKNOWN),
        ("unknonw", UNKNOWN),
        ("background noise", BACKGROUND),
        ("_backround_noise_", BACKGROUND),
    ],
)
def test_other_spellings_of_reserved_names_are_refused(name: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"spelled like the reserved '{meant}'") as caught:
        check_label_names("DIR", ["yes", name])
    assert str(caught.value).startswith(f"DIR: the label {name!r}")


def test_reserved_names_and_words_of_any_language_pass() -> None:
    check_label_names(
        "DIR", [SILENCE, UNKNOWN, BACKGROUND, "science", "known", "开灯", "ضوء", "on"]
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["_others_"], "starts with _"),
        (["On", "on"], "spelled alike"),
        (["caf\u00e9", "cafe\u0301"], "spelled alike"),
        (["lights on", "lights_on"], "spelled alike"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        check_label_names("DIR", names)
