"""Where audio comes from: files, stdin and microphones, all as Blocks of int16 mono."""

from edgekws.audio.decode import read_audio
from edgekws.audio.source import AudioSource, open_source

__all__ = ["AudioSource", "open_source", "read_audio"]
