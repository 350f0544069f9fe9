"""The daemon's figures in the text format of Prometheus, version 0.0.4."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from edgekws.runtime.counts import EventCounts
from edgekws.runtime.health import Health, State

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Figures(msgspec.Struct, frozen=True):
    """All that is shown; `lost_lines` are those of the journal file."""

    health: Health
    sample_rate: int
    events: EventCounts
    cpu_seconds: float
    lost_lines: int


class Family(msgspec.Struct, frozen=True):
    """One metric: its name, kind and help, and a value for each set of labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: Mapping[Labels, float]


def exposition(figures: Figures) -> str:
    """Return the page; what has not happened yet has no line, or is 0 where it is one figure."""
    return "".join(_text(family) for family in _families(figures))


def _families(figures: Figures) -> Iterable[Family]:
    health = figures.health
    yield from _audio(health, figures.sample_rate)
    yield _counter("edgekws_steps_total", "Steps of the model.", health.counters.steps)
    yield _counter(
        "edgekws_non_finite_scores_total",
        "Steps whose scores were no numbers.",
        health.counters.non_finite_scores,
    )
    events = figures.events
    yield _by("label", "edgekws_detections_total", "Commands heard.", events.detections)
    yield _by("label", "edgekws_near_misses_total", "Nearly commands.", events.near_misses)
    yield _by("verdict", "edgekws_decisions_total", "Acted upon or not.", events.decisions)
    yield Family(
        "edgekws_dispatches_total",
        "counter",
        "How dispatches ended.",
        {
            (("sink", sink), ("status", status)): count
            for (sink, status), count in events.dispatches.items()
        },
    )
    yield Family(
        "edgekws_link_up",
        "gauge",
        "Whether the board is heard.",
        {(("device", link.device or ""),): float(link.up) for link in health.links},
    )
    yield from _life(figures)


def _audio(health: Health, sample_rate: int) -> Iterable[Family]:
    counters = health.counters
    yield _counter("edgekws_audio_seconds_total", "Audio heard.", counters.samples / sample_rate)
    yield _counter(
        "edgekws_audio_dropped_frames_total", "Frames the device lost.", health.dropped_frames
    )
    yield _counter("edgekws_audio_gaps_total", "Jumps in the audio.", counters.gaps)
    yield _counter("edgekws_audio_blocks_repaired_total", "Blocks repaired.", counters.repaired)
    yield _counter("edgekws_audio_blocks_refused_total", "Blocks refused.", counters.refused)
    yield _counter("edgekws_source_reopenings_total", "Source opened again.", health.reopenings)
    yield _gauge("edgekws_audio_level_dbfs", "Level of the last block.", health.level_dbfs)


def _life(figures: Figures) -> Iterable[Family]:
    health = figures.health
    yield Family(
        "edgekws_health_state",
        "gauge",
        "1 for the state it is in.",
        {(("state", state),): float(state == health.state) for state in get_args(State)},
    )
    yield _age("edgekws_last_audio_age_seconds", "Since the last audio.", health.audio_age_seconds)
    yield _age(
        "edgekws_last_inference_age_seconds", "Since the last step.", health.step_age_seconds
    )
    yield _gauge("edgekws_uptime_seconds", "Since the start.", health.uptime_seconds)
    yield _counter("edgekws_reloads_total", "Reloads taken.", health.reloads)
    yield _counter("edgekws_stdout_lost_lines_total", "Lines stdout lost.", health.unwritten)
    yield _counter("edgekws_journal_lost_lines_total", "Lines the file lost.", figures.lost_lines)
    yield _counter("process_cpu_seconds_total", "CPU time of the process.", figures.cpu_seconds)
    yield Family("edgekws_bundle_info", "gauge", "The bundle.", {(("bundle", health.bundle),): 1.0})


def _by(label: str, name: str, text: str, counts: Mapping[str, int]) -> Family:
    return Family(name, "counter", text, {((label, key),): n for key, n in counts.items()})


def _counter(name: str, text: str, value: float) -> Family:
    return Family(name, "counter", text, {(): value})


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, {(): value})


def _age(name: str, text: str, seconds: float | None) -> Family:
    return Family(name, "gauge", text, {} if seconds is None else {(): seconds})


def _text(family: Family) -> str:
    head = f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(
        f"{family.name}{_labels(labels)} {float(value)!r}\n"
        for labels, value in family.values.items()
    )


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
