"""Clip-level figures: accuracy, precision, recall, F1 per label and the confusion table."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekws.specs import RESERVED_LABELS, Spec


class LabelFigures(Spec, frozen=True):
    """How one label fared; each figure is 0 where its denominator is."""

    precision: float
    recall: float
    f1: float
    clips: int


class LanguageFigures(Spec, frozen=True):
    """How well the commands of one language were heard, over `clips` clips of them."""

    recall: float
    """The mean over its commands: each counts alike, however many clips it has."""
    clips: int
    labels: tuple[str, ...]


class ClipReport(Spec, frozen=True):
    """What `edgekws eval --data` prints; `confusion` counts clips by truth, then by answer.

    `macro_f1` is the mean over the labels that stand in the truth or among the answers.
    """

    accuracy: float
    macro_f1: float
    per_label: dict[str, LabelFigures]
    confusion: dict[str, dict[str, int]]
    clips: int
    per_language: dict[str, LanguageFigures]
    """Empty where the commands heard are of one language, or nobody said of which they are."""


def clip_report(
    truths: Sequence[str],
    answers: Sequence[str],
    labels: Sequence[str],
    *,
    language_of: Callable[[str], str] | None = None,
) -> ClipReport:
    """Return the figures of answers against truths; truths outside `labels` come after them.

    `language_of` a command splits them by language.
    """
    names = [*labels, *sorted(set(truths) - set(labels))]
    table = _confusion(truths, answers, names)
    per_label = {name: _label_figures(table, at) for at, name in enumerate(names)}
    present = [per_label[name].f1 for name in sorted({*truths, *answers})]
    return ClipReport(
        accuracy=_ratio(int(np.trace(table)), len(truths)),
        macro_f1=float(np.mean(present)) if present else 0.0,
        per_label=per_label,
        confusion={
            name: {other: int(count) for other, count in zip(names, row, strict=True)}
            for name, row in zip(names, table, strict=True)
        },
        clips=len(truths),
        per_language=by_language(per_label, language_of) if language_of else {},
    )


def by_language(
    per_label: Mapping[str, LabelFigures], language_of: Callable[[str], str]
) -> dict[str, LanguageFigures]:
    """Return the figures of each language that has clips; nothing where there is only one."""
    heard = [name for name, row in per_label.items() if row.clips and name not in RESERVED_LABELS]
    groups: dict[str, list[str]] = {}
    for name in heard:
        groups.setdefault(language_of(name), []).append(name)
    if len(groups) < 2:
        return {}
    return {
        language: LanguageFigures(
            recall=float(np.mean([per_label[name].recall for name in names])),
            clips=sum(per_label[name].clips for name in names),
            labels=tuple(names),
        )
        for language, names in groups.items()
    }


def _confusion(
    truths: Sequence[str], answers: Sequence[str], names: Sequence[str]
) -> NDArray[np.int64]:
    """Return counts (truth, answer)."""
    index = {name: at for at, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), np.int64)
    for truth, answer in zip(truths, answers, strict=True):
        table[index[truth], index[answer]] += 1
    return table


def _label_figures(table: NDArray[np.int64], at: int) -> LabelFigures:
    right = int(table[at, at])
    precision = _ratio(right, int(table[:, at].sum()))
    recall = _ratio(right, int(table[at].sum()))
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return LabelFigures(precision=precision, recall=recall, f1=f1, clips=int(table[at].sum()))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
