"""Kinds of words on a command line, as argparse's `type`: ArgumentTypeError for others.

Each number has an upper bound too, for what is beyond it breaks NumPy, TensorFlow or the machine
later on.
"""

from __future__ import annotations

import argparse
import math
import shlex

from alexnet_tf.system.text import printable

# What counters of 32 and of 64 bits hold.
MOST, MOST_BYTES = 2**31 - 1, 2**63 - 1
# NumPy and Keras take seeds of 32 bits.
MOST_SEED = 2**32 - 1
# TensorFlow starts as many threads as it is told, and is ended where the system gives no more.
MOST_PORT = (1 << 16) - 1
MOST_THREADS = 1024
# Far beyond any learning rate or deviation that is of use, and far within what float32 holds.
MOST_REAL = 1e6
# Sixteen times as wide, AlexNet takes 60 GB.
MOST_WIDTH = 16
# More pixels on a side have thousands of windows.
MOST_SCALE = 1024
# Sixteen times AlexNet's.
MOST_UNITS = 1 << 16


class Together(argparse.Action):
    """Several words in one, as a shell takes them: what a pattern in place of a path becomes."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        words = [values] if isinstance(values, str) else values
        setattr(namespace, self.dest, shlex.join(words) if len(words) > 1 else words[0])


def positive(text: str, most: int = MOST) -> int:
    """Read a whole number above 0, at most `most`."""
    return _whole(text, 1, most, "above 0")


def natural(text: str, most: int = MOST) -> int:
    """Read a whole number, 0 or above, at most `most`."""
    return _whole(text, 0, most, "of 0 or above")


def place(text: str) -> str:
    """Read a path, which is not empty: that would mean the working directory."""
    if not text:
        raise _error(text, "a path")
    return text


def count_of_bytes(text: str) -> int:
    """Read a number of bytes above 0."""
    return positive(text, MOST_BYTES)


def seed(text: str) -> int:
    """Read the seed of random numbers: a whole number of 32 bits."""
    return natural(text, MOST_SEED)


def port(text: str) -> int:
    """Read the number of a port; 0 means any that is free."""
    return natural(text, MOST_PORT)


def threads(text: str) -> int:
    """Read a number of threads; 0 means all."""
    return natural(text, MOST_THREADS)


def positive_real(text: str, most: float = MOST_REAL) -> float:
    """Read a number above 0, at most `most`."""
    number = _real(text)
    if not 0 < number <= most:
        raise _error(text, f"a number above 0, at most {most:,.0f}")
    return number


def real(text: str) -> float:
    """Read a number, 0 or above."""
    number = _real(text)
    if not 0 <= number <= MOST_REAL:
        raise _error(text, f"a number, 0 or above, at most {MOST_REAL:,.0f}")
    return number


def scale(text: str) -> int:
    """Read the side of a picture in pixels, or 0."""
    return natural(text, MOST_SCALE)


def units(text: str) -> int:
    """Read how many units a layer has, or 0."""
    return natural(text, MOST_UNITS)


def width(text: str) -> float:
    """Read what numbers of filters and units are multiplied by."""
    return positive_real(text, MOST_WIDTH)


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    number = _real(text)
    if not 0 <= number <= 1:
        raise _error(text, "a number from 0 to 1")
    return number


def part(text: str) -> float:
    """Read a share that is less than the whole: a number from 0 to below 1."""
    number = _real(text)
    if not 0 <= number < 1:
        raise _error(text, "a number from 0 to 1, and below 1")
    return number


def _whole(text: str, least: int, most: int, words: str) -> int:
    # Beyond 20 digits it is too large in any case, and Python refuses to read a few thousand.
    number = int(text[:20]) if text.isascii() and text.isdigit() else -1
    if not least <= number <= most or len(text) > 20:
        raise _error(text, f"a whole number {words}, at most {most:,}")
    return number


def _real(text: str) -> float:
    """Read any number; NaN where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _error(text: str, wanted: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"'{printable(text[:40])}' should be {wanted}")
