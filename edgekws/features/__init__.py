"""One arithmetic from int16 audio to MFCC frames, streaming and offline alike."""

from edgekws.features.stream import FeatureStream, mfcc

__all__ = ["FeatureStream", "mfcc"]
