"""The family of nets, and the one that a recipe's `kind` chooses.

Each member is a `net.LabelNet` with a config struct of its own, which is tagged with its `kind`
and has `n_features`, `frames_per_score` and `window_frames`. It offers

    config, head, dropout        its sizes; the linear layer that new labels replace, before it
    forward(x, states)           features (batch, frames, n_features) to (batch, rows, labels)
    embeddings(x, states)        the same up to what the head takes
    last_embeddings(x, count)    the last rows of embeddings of whole clips, (batch, count, width)
    last_rows(x, count)          the last rows of whole clips, (batch, count, labels)
    state_shapes()               of one stream, in the order of forward
    zero_states(batch)           the start of so many streams
    backbone()                   the modules that are kept when the labels change
    upper()                      those that learn at the rate of the head, and it
    cost()                       parameters, and multiply-accumulates per row

Clip mode is one call over all frames from zero states; streaming mode is many calls of any multiple
of `frames_per_score` frames. Both give the same rows (within float rounding), and no row knows what
comes after it. A new member is a file here, its nodes in `export`, and its rows in the tables.
"""

from edgekws.train.nets.bcresnet import BcResNet, BcResNetConfig
from edgekws.train.nets.crnn import Crnn, CrnnConfig
from edgekws.train.nets.dscnn import DsCnnConfig, DsCnnNet
from edgekws.train.nets.embedding import EmbeddingConfig, EmbeddingNet
from edgekws.train.nets.tcn import StreamingTcn, TcnConfig

StreamingNet = StreamingTcn | BcResNet | Crnn | DsCnnNet | EmbeddingNet
NetConfig = TcnConfig | BcResNetConfig | CrnnConfig | DsCnnConfig | EmbeddingConfig


def build_net(config: NetConfig, n_labels: int) -> StreamingNet:
    """Return an untrained net of that kind and size."""
    match config:
        case TcnConfig():
            return StreamingTcn(config, n_labels)
        case BcResNetConfig():
            return BcResNet(config, n_labels)
        case CrnnConfig():
            return Crnn(config, n_labels)
        case DsCnnConfig():
            return DsCnnNet(config, n_labels)
        case EmbeddingConfig():
            return EmbeddingNet(config, n_labels)
