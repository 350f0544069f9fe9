"""Whole numbers on the command line."""

import argparse


def at_least_one(text: str) -> int:
    """Return a whole number from 1 on; argparse's error for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count of 1 or more")
    return int(text)
