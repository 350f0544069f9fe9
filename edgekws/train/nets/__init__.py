"""Networks that stream: every one takes its states and gives them back."""

from edgekws.train.nets.bcresnet import BcResNet, BcResNetConfig
from edgekws.train.nets.crnn import Crnn, CrnnConfig
from edgekws.train.nets.dscnn import DsCnnConfig, DsCnnNet
from edgekws.train.nets.embedding import EmbeddingConfig, EmbeddingNet
from edgekws.train.nets.family import NetConfig, StreamingNet, build_net
from edgekws.train.nets.tcn import StreamingTcn, TcnConfig

__all__ = [
    "BcResNet",
    "BcResNetConfig",
    "Crnn",
    "CrnnConfig",
    "DsCnnConfig",
    "DsCnnNet",
    "EmbeddingConfig",
    "EmbeddingNet",
    "NetConfig",
    "StreamingNet",
    "StreamingTcn",
    "TcnConfig",
    "build_net",
]
