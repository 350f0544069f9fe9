"""edgekws: adapt a keyword-spotting model to your commands, and run it on a small board."""

from typing import Final

__version__: Final = "0.1.0"
