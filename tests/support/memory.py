"""How much memory a block takes at its peak.

ru_maxrss does not tell: Linux never lowers it, and a process inherits its parent's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_of(block: Callable[[], object]) -> int:
    """Return by how many bytes the memory of this process grew, at most, while it ran `block`."""
    if not FORGET.exists():
        pytest.skip("only Linux tells the peak of a block")
    FORGET.write_text("5")  # the peak is what is taken now; see proc(5)
    before = _highest()
    block()
    return _highest() - before


def _highest() -> int:
    return int(re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())[1]) << 10
