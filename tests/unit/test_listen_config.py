"""listen.toml: strict decoding, messages with file and path, overrides laid over the bundle's."""

import re
from pathlib import Path

import msgspec
import pytest

from edgekws.dispatch.commands import Command
from edgekws.dispatch.process import ProcessSettings
from edgekws.dispatch.stdout import StdoutSettings
from edgekws.errors import ConfigError
from edgekws.runtime.config import ListenConfig, decode_config, read_config
from edgekws.runtime.fitting import check_labels, check_model, merge_trigger, merge_triggers
from edgekws.runtime.tables import TriggerOverride
from edgekws.specs import TriggerSpec

WHERE = Path("listen.toml")
SHIPPED = Path(__file__).resolve().parents[2] / "edgekws" / "share" / "listen.toml"
SPEC = TriggerSpec(on=0.8, off=0.5, mean_samples=4800, consecutive=2, refractory_samples=16_000)
WHOLE = """
bundle = "bundles/lights"
model = "tflite-int8"
accelerators = ["cuda"]
[source]
text = "wav:night.wav"
[[commands]]
label = "lights on"
sink = "process"
argv = ["lamp", "{label}"]
timeout_seconds = 5
retries = 2
[[commands]]
label = "开灯"
sink = "stdout"
[triggers."开灯"]
on = 1
consecutive = 3
"""


def test_a_whole_file_is_decoded() -> None:
    process = ProcessSettings(argv=("lamp", "{label}"), timeout_seconds=5.0, retries=2)
    assert decode_config(WHOLE, where=Path("/etc/edgekws/listen.toml")) == ListenConfig(
        text=WHOLE,
        where="/etc/edgekws/listen.toml",
        source="wav:night.wav",
        bundle=Path("/etc/edgekws/bundles/lights"),
        model="tflite-int8",
        accelerators=("cuda",),
        commands=(Command("lights on", process), Command("开灯", StdoutSettings())),
        triggers={"开灯": TriggerOverride(on=1.0, consecutive=3)},
    )


def test_an_empty_file_leaves_everything_open() -> None:
    assert decode_config("", where=WHERE) == ListenConfig()


def test_an_absolute_bundle_stays_where_it_is() -> None:
    assert decode_config('bundle = "/opt/b"', where=WHERE).bundle == Path("/opt/b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source = 3", "listen.toml: source: expected table, got int"),
        ("[source]", "listen.toml: source: table missing required field text"),
        ("[surce]", "listen.toml: table contains unknown field surce; it takes: bundle, model, "),
        ("commands = [3]", "listen.toml: commands[0]: expected table, got int"),
        ('[[commands]]\nlabel = "on"', "commands[0]: table missing required field sink"),
        (
            '[[commands]]\nlabel = "on"\nsink = "radio"',
            'listen.toml: commands[0].sink: there is no sink "radio"; there are: ',
        ),
        (
            '[[commands]]\nlabel = 3\nsink = "stdout"',
            "listen.toml: commands[0].label: expected str, got int",
        ),
        (
            WHOLE.replace("timeout_seconds = 5", 'timeout_seconds = "5"'),
            "listen.toml: commands[0].timeout_seconds: expected float, got str",
        ),
        (
            WHOLE.replace("retries = 2", "retries = true"),
            "listen.toml: commands[0].retries: expected int, got bool",
        ),
        (
            WHOLE.replace('"{label}"]', "3]"),
            "listen.toml: commands[0].argv[1]: expected str, got int",
        ),
        (
            WHOLE.replace("retries = 2", "retrys = 2"),
            "commands[0]: table contains unknown field retrys; "
            "it takes: argv, timeout_seconds, retries",
        ),
        (
            WHOLE.replace("retries = 2", "retries = 200"),
            "listen.toml: commands[0]: need 0 <= retries <= 10",
        ),
        (
            WHOLE.replace('sink = "stdout"', 'sink = "stdout"\nargv = []'),
            "commands[1]: table contains unknown field argv; it takes: nothing more",
        ),
        (
            WHOLE.replace("on = 1\n", 'on = "high"\n'),
            'listen.toml: triggers."开灯".on: expected float, got str',
        ),
        (
            WHOLE.replace("on = 1\n", "onn = 1\n"),
            'triggers."开灯": table contains unknown field onn; it takes: on, off, mean_samples, ',
        ),
        (
            'accelerators = ["cuda", "gpu"]',
            "listen.toml: accelerators: no accelerator 'gpu'; there is tensorrt, cuda",
        ),
        ("[source", "listen.toml: not TOML: "),
        ("[metrics]", "listen.toml: metrics: name a textfile, a port, or both"),
        ("[metrics]\nport = 70000", "listen.toml: metrics: need 0 <= port <= 65535"),
        ("[journal]\npath = 3", "listen.toml: journal.path: expected str, got int"),
        ('[journal]\npath = "j"\nmax_bytes = 1', "listen.toml: journal: need 4096 <= max_bytes"),
        ("[voice]\nthreshold = 1", "listen.toml: voice: need 0 < threshold < 1"),
        ("[voice]\nseconds = 3", "listen.toml: voice: need 0.1 <= seconds <= 2.5"),
        ("[near_misses]\nfraction = 2", "listen.toml: near_misses: need 0 < fraction < 1"),
        ('[control]\nsocket = ""', "listen.toml: control: socket needs to be a path"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str) -> None:
    """The line is left out here: `test_a_mistake_is_named_with_its_line` has it."""
    with pytest.raises(ConfigError) as caught:
        decode_config(text, where=WHERE)
    assert message in re.sub(r"toml:\d+: ", "toml: ", str(caught.value))


LONG = '''# the living room
bundle = "bundles/lights"

[[commands]]
label = "lights on"
sink = "process"
argv = [
    "lamp",  # [[commands]]
    "on = 3",
]

[[commands]]
label = "lights off"
sink = "process"
retries = 2
argv = ["""
label = "no label"
"""]
[triggers."lights on"]
on = 0.5
'''


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("bundle =", "bundel =", 2),
        ('[[commands]]\nlabel = "lights on"', "[[command]]\nlabel = 1", 4),
        ('label = "lights on"', "label = 3", 5),
        ('"on = 3"', "3", 7),
        ('label = "lights off"\n', "", 12),
        ("retries = 2", "retrys = 2", 15),
        ("retries = 2", "retries = 200", 12),
        ('argv = ["""', 'arg = ["""', 16),
        ('[triggers."lights on"]\non', '[triggers."lights on"]\nonn', 20),
        ("on = 0.5", 'on = "high"', 20),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int) -> None:
    assert old in LONG
    with pytest.raises(ConfigError, match=rf"^listen\.toml:{line}: "):
        decode_config(LONG.replace(old, new, 1), where=WHERE)


def test_what_does_not_suit_the_bundle_is_named_with_its_line() -> None:
    config = decode_config(LONG, where=WHERE)
    with pytest.raises(
        ConfigError, match=r"^listen\.toml:13: commands\[1\]\.label: the bundle has"
    ):
        check_labels(config, ("lights on",))
    with pytest.raises(ConfigError, match=r'^listen\.toml:19: triggers\."lights on": '):
        merge_triggers({"lights on": msgspec.structs.replace(SPEC, off=0.7)}, config)


def test_a_text_that_is_not_toml_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^listen\.toml: not TOML: .* \(at line 3, column 10\)$"):
        decode_config("\n\nsource = ]\n", where=WHERE)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_config(tmp_path / "nowhere.toml")


def test_a_file_in_another_encoding_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "listen.toml"
    path.write_bytes('bundle = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"listen\.toml: not UTF-8 text"):
        read_config(path)


def test_labels_of_the_bundle_pass() -> None:
    check_labels(decode_config(WHOLE, where=WHERE), ("lights on", "开灯", "关灯"))


def test_every_label_is_one_of_the_bundle() -> None:
    check_labels(decode_config('[[commands]]\nlabel = "*"\nsink = "stdout"', where=WHERE), ("on",))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("开灯",), 'commands[0].label: the bundle has no command "lights on"; it has: 开灯'),
        (("lights on", "off"), 'no command "开灯"; it has: lights on, off'),
    ],
)
def test_a_label_that_the_bundle_lacks_is_named(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_labels(decode_config(WHOLE, where=WHERE), labels)


def test_a_trigger_of_a_label_that_the_bundle_lacks_is_named() -> None:
    config = decode_config("[triggers._unknown_]\non = 0.5", where=WHERE)
    with pytest.raises(ConfigError, match=r'triggers\."_unknown_": the bundle has no command'):
        check_labels(config, ("yes",))


def test_a_model_that_the_bundle_lacks_is_named() -> None:
    config = decode_config('model = "tflite-int8"', where=WHERE)
    check_model(config, ["onnx-int8", "tflite-int8"])
    message = 'listen.toml:1: model: the bundle has no "tflite-int8"; it has: onnx-int8, onnx-fp32'
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_model(config, ["onnx-int8", "onnx-fp32"])


def test_an_override_changes_only_what_it_names() -> None:
    merged = merge_trigger(SPEC, TriggerOverride(on=0.9, refractory_samples=0))
    assert merged == TriggerSpec(
        on=0.9, off=0.5, mean_samples=4800, consecutive=2, refractory_samples=0
    )
    assert merge_trigger(SPEC, TriggerOverride()) == SPEC


def test_overrides_are_laid_over_the_labels_they_name() -> None:
    config = decode_config("[triggers.yes]\non = 0.9", where=WHERE)
    merged = merge_triggers({"yes": SPEC, "no": SPEC}, config)
    assert merged == {"yes": merge_trigger(SPEC, TriggerOverride(on=0.9)), "no": SPEC}


def test_an_override_that_contradicts_the_bundle_says_with_what() -> None:
    config = decode_config("[triggers.yes]\non = 0.3", where=WHERE)
    message = 'listen.toml:1: triggers."yes": need 0 < off <= on <= 1; with the bundle\'s values'
    with pytest.raises(ConfigError, match=re.escape(message) + ".* on = 0.3, off = 0.5"):
        merge_triggers({"yes": SPEC}, config)


def test_the_shipped_file_changes_nothing() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert read_config(SHIPPED) == ListenConfig(where=str(SHIPPED), text=text)


def test_every_example_of_the_shipped_file_is_valid() -> None:
    text = re.sub(r"^#(?=\S)", "", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config = decode_config(text, where=SHIPPED)
    assert config.source == "mic:"
    assert config.model == "tflite-int8"
    assert config.accelerators == ("tensorrt", "cuda")
    assert config.bundle == SHIPPED.parent / "dist" / "lights-rpi"
    assert None not in (config.control, config.metrics, config.journal)
    assert None not in (config.near_misses, config.captures, config.voice)
    assert config.rules["open the door"].sequence == ("computer", "lights on")
    assert [command.label for command in config.commands] == [
        "lights on",
        "*",
        "lights on",
        "lights on",
        "lights on",
        "*",
        "lights on",
        "开灯",
    ]
    assert None not in (config.triggers["开灯"].on, config.triggers["开灯"].refractory_samples)
