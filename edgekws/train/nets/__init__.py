"""Networks that stream: every one takes its states and gives them back."""

from edgekws.train.nets.tcn import StreamingTcn, TcnConfig

__all__ = ["StreamingTcn", "TcnConfig"]
