"""Kinds of numbers on a command line, as argparse's `type`."""

from __future__ import annotations

import argparse
import math


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """An argument that must be a whole number, 0 or above."""
    return 0 if text == "0" else positive(text)


def positive_real(text: str) -> float:
    """An argument that must be a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number above 0")
    return number


def real(text: str) -> float:
    """An argument that must be a number, 0 or above."""
    return 0.0 if text == "0" else positive_real(text)


def share(text: str) -> float:
    """An argument that must be a number from 0 to 1."""
    number = real(text)
    if number > 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number from 0 to 1")
    return number
