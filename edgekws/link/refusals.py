"""Why host and board do not get on, in words for a person."""

from edgekws.link.messages import HIGHEST_VERSION, LOWEST_VERSION, Hello, Nack, Reason


def objection_to(hello: Hello, labels_hash: int) -> str:
    """Return why a board that grants a session cannot be talked to, "" where it can."""
    if hello.labels != labels_hash:
        return labels_differ(hello.labels, labels_hash)
    if hello.lowest > HIGHEST_VERSION or hello.highest < LOWEST_VERSION:
        return versions_differ(hello.lowest, hello.highest)
    return ""


def objection_of(nack: Nack, labels_hash: int) -> str:
    """Return why a board grants no session."""
    if nack.reason == Reason.LABELS:
        return labels_differ(nack.detail, labels_hash)
    return versions_differ(nack.detail % 256, nack.detail // 256)


def labels_differ(theirs: int, ours: int) -> str:
    """Return what to do about firmware of another label set."""
    return (
        f"the board was built with other labels (hash {theirs:08x}, ours {ours:08x}): build it "
        "again with the headers of `edgekws link generate`"
    )


def versions_differ(lowest: int, highest: int) -> str:
    """Return what to do about firmware of another protocol."""
    return (
        f"the board speaks versions {lowest} to {highest} of the protocol, edgekws "
        f"{LOWEST_VERSION} to {HIGHEST_VERSION}: bring the older one up to date"
    )


def refusal(nack: Nack) -> str:
    """Return why a board refused a command."""
    try:
        name = Reason(nack.reason).name.lower()
    except ValueError:
        name = f"reason {nack.reason}"
    return f"refused by the board: {name} ({nack.detail})"
