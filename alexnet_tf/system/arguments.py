"""Kinds of numbers on a command line, as argparse's `type`: ArgumentTypeError for others."""

from __future__ import annotations

import argparse
import math


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """Read a whole number, 0 or above."""
    return 0 if text == "0" else positive(text)


def positive_real(text: str) -> float:
    """Read a number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number above 0")
    return number


def real(text: str) -> float:
    """Read a number, 0 or above."""
    number = _number(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number, 0 or above")
    return number


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number from 0 to 1")
    return number


def _number(text: str) -> float:
    """Read any number; NaN where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
