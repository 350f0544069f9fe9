"""What Home Assistant reads over MQTT: a device that describes itself, and its events.

Home Assistant's documentation of the MQTT integration defines both: "device discovery", and the
platform "event", whose `event_types` are our labels. A label stands in JSON only, never in a topic.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from edgekws import __version__
from edgekws.dispatch.mqtt_broker import Message
from edgekws.events import Detection

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
_PROJECT: Final = "edgekws"
_COMPONENT: Final = "command"


def command_topic(device: str) -> str:
    """Return the topic on which the commands heard are published."""
    return f"{_PROJECT}/{device}/command"


def availability(device: str, state: bytes) -> Message:
    """Return the retained message that says whether the device is listening."""
    return Message(f"{_PROJECT}/{device}/availability", state, retained=True)


def birth(prefix: str) -> Message:
    """Return what Home Assistant publishes when it has started, and wants to be told anew."""
    return Message(f"{prefix}/status", ONLINE)


def event(device: str, detection: Detection) -> Message:
    """Return the message of a command heard; beside its type stand attributes of the event."""
    heard = {
        "event_type": detection.label,
        "score": round(detection.score, 4),
        "id": detection.id,
        "sample": detection.sample,
        "time_seconds": detection.time_seconds,
    }
    return Message(command_topic(device), msgspec.json.encode(heard))


def discovery(prefix: str, device: str, labels: Sequence[str]) -> Message:
    """Return the retained message that makes Home Assistant show the device."""
    unique = f"{_PROJECT}_{device}"
    config = {
        "device": {
            "identifiers": [unique],
            "name": f"{_PROJECT} {device}",
            "manufacturer": _PROJECT,
            "model": "keyword spotter",
            "sw_version": __version__,
        },
        "origin": {"name": _PROJECT, "sw_version": __version__},
        "components": {
            _COMPONENT: {
                "platform": "event",
                "unique_id": f"{unique}_{_COMPONENT}",
                "name": "Command",
                "icon": "mdi:account-voice",
                "event_types": sorted(labels),
                "state_topic": command_topic(device),
            }
        },
        "availability_topic": availability(device, ONLINE).topic,
        "payload_available": ONLINE.decode(),
        "payload_not_available": OFFLINE.decode(),
        "qos": 1,
    }
    return Message(f"{prefix}/device/{unique}/config", msgspec.json.encode(config), retained=True)
