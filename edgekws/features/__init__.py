"""One arithmetic from int16 audio to frames of features, streaming and offline alike."""

from edgekws.features.stream import FeatureStream, mfcc

__all__ = ["FeatureStream", "mfcc"]
