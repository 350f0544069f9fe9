"""Fixtures of the end-to-end tests."""

from tests.virtual_microphone import virtual_microphone

__all__ = ["virtual_microphone"]
