"""Engines run one model file step by step; each is a stranger to bundles and to the others."""

from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine

__all__ = ["Engine", "open_engine"]
