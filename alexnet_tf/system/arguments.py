"""Argument types for argparse, which raise ArgumentTypeError for invalid values, and for numbers so
large that they would break NumPy, TensorFlow or the machine later on."""

import argparse
import math
import shlex
from collections.abc import Callable
from pathlib import Path

from alexnet_tf.system import buckets
from alexnet_tf.system.text import printable

# The largest signed 32-bit integer; and far above any useful rate, far below float32's limit.
MOST, MOST_REAL = 2**31 - 1, 1e6


class Together(argparse.Action):
    """Join the arguments into one, quoted as in a shell: a pattern that the shell expanded."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        words = [values] if isinstance(values, str) else values
        setattr(namespace, self.dest, shlex.join(words) if len(words) > 1 else words[0])


def place(text: str) -> str:
    """Parse a path; an empty one, which would mean the working directory, is refused."""
    if not text:
        raise _error(text, "a path")
    return text


def output(text: str) -> Path:
    """Parse where results go, a path or an address in a bucket; return where they are written."""
    return buckets.outgoing(text) if buckets.is_in_bucket(text) else Path(place(text))


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`."""
    words = f"a whole number {f'above {least - 1}' if least else 'of 0 or above'}, at most {most:,}"

    def parse(text: str) -> int:
        # More than 20 digits are too large in any case, and Python refuses to parse thousands.
        number = int(text[:20]) if text.isascii() and text.isdigit() else -1
        if not least <= number <= most or len(text) > 20:
            raise _error(text, words)
        return number

    return parse


def real(words: str, is_valid: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a parser of numbers that are valid, which `words` describe; NaN is never valid."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not is_valid(number):
            raise _error(text, words)
        return number

    return parse


positive, natural = whole(1), whole(0)
count_of_bytes = whole(1, 2**63 - 1)
seed = whole(0, 2**32 - 1)  # NumPy and Keras take 32-bit seeds
port = whole(0, (1 << 16) - 1)
# TensorFlow starts as many threads as requested, and crashes if the system grants no more.
threads = whole(0, 1024)
scale = whole(0, 1024)  # larger pictures have thousands of windows
units = whole(0, 1 << 16)  # sixteen times AlexNet's
positive_real = real(
    f"a number above 0, at most {MOST_REAL:,.0f}", lambda number: 0 < number <= MOST_REAL
)
natural_real = real(
    f"a number, 0 or above, at most {MOST_REAL:,.0f}", lambda number: 0 <= number <= MOST_REAL
)
# AlexNet of 16 times the width takes 60 GB.
width = real("a number above 0, at most 16", lambda number: 0 < number <= 16)
share = real("a number from 0 to 1", lambda number: 0 <= number <= 1)
part = real("a number from 0 to 1, and below 1", lambda number: 0 <= number < 1)
degrees = real("a number from 0 to 180", lambda number: 0 <= number <= 180)


def _error(text: str, wanted: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"'{printable(text[:40])}' should be {wanted}")
