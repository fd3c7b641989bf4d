"""Argument types for argparse, which raise ArgumentTypeError for invalid values.

Each number also has an upper bound, because larger values break NumPy, TensorFlow or the machine
later on.
"""

from __future__ import annotations

import argparse
import math
import shlex

from alexnet_tf.system.text import printable

# The largest values of signed 32-bit and 64-bit integers.
MOST, MOST_BYTES = 2**31 - 1, 2**63 - 1
# NumPy and Keras take 32-bit seeds.
MOST_SEED = 2**32 - 1
# TensorFlow starts as many threads as requested, and crashes if the system grants no more.
MOST_PORT = (1 << 16) - 1
MOST_THREADS = 1024
# Far above any useful learning rate or deviation, and far below the limit of float32.
MOST_REAL = 1e6
# AlexNet of 16 times the width takes 60 GB.
MOST_WIDTH = 16
# Larger pictures have thousands of windows.
MOST_SCALE = 1024
# Sixteen times AlexNet's.
MOST_UNITS = 1 << 16


class Together(argparse.Action):
    """Join the arguments into one, quoted as in a shell: a pattern that the shell expanded."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        words = [values] if isinstance(values, str) else values
        setattr(namespace, self.dest, shlex.join(words) if len(words) > 1 else words[0])


def positive(text: str, most: int = MOST) -> int:
    """Parse an integer above 0, at most `most`."""
    return _whole(text, 1, most, "above 0")


def natural(text: str, most: int = MOST) -> int:
    """Parse an integer of 0 or above, at most `most`."""
    return _whole(text, 0, most, "of 0 or above")


def place(text: str) -> str:
    """Parse a path; an empty one, which would mean the working directory, is refused."""
    if not text:
        raise _error(text, "a path")
    return text


def count_of_bytes(text: str) -> int:
    """Parse a number of bytes above 0."""
    return positive(text, MOST_BYTES)


def seed(text: str) -> int:
    """Parse a random seed: an integer of 32 bits."""
    return natural(text, MOST_SEED)


def port(text: str) -> int:
    """Parse a port number; 0 means any free port."""
    return natural(text, MOST_PORT)


def threads(text: str) -> int:
    """Parse a number of threads; 0 means all."""
    return natural(text, MOST_THREADS)


def positive_real(text: str, most: float = MOST_REAL) -> float:
    """Parse a number above 0, at most `most`."""
    number = _real(text)
    if not 0 < number <= most:
        raise _error(text, f"a number above 0, at most {most:,.0f}")
    return number


def real(text: str) -> float:
    """Parse a number of 0 or above."""
    number = _real(text)
    if not 0 <= number <= MOST_REAL:
        raise _error(text, f"a number, 0 or above, at most {MOST_REAL:,.0f}")
    return number


def scale(text: str) -> int:
    """Parse the side of a picture in pixels, or 0."""
    return natural(text, MOST_SCALE)


def units(text: str) -> int:
    """Parse the number of units in a layer, or 0."""
    return natural(text, MOST_UNITS)


def width(text: str) -> float:
    """Parse the factor by which the numbers of filters and units are multiplied."""
    return positive_real(text, MOST_WIDTH)


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    number = _real(text)
    if not 0 <= number <= 1:
        raise _error(text, "a number from 0 to 1")
    return number


def part(text: str) -> float:
    """Parse a number from 0 to below 1."""
    number = _real(text)
    if not 0 <= number < 1:
        raise _error(text, "a number from 0 to 1, and below 1")
    return number


def _whole(text: str, least: int, most: int, words: str) -> int:
    # More than 20 digits are too large in any case, and Python refuses to parse thousands.
    number = int(text[:20]) if text.isascii() and text.isdigit() else -1
    if not least <= number <= most or len(text) > 20:
        raise _error(text, f"a whole number {words}, at most {most:,}")
    return number


def _real(text: str) -> float:
    """Parse any number; NaN if `text` is not a number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _error(text: str, wanted: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"'{printable(text[:40])}' should be {wanted}")
