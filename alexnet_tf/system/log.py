"""The program's log, which says nothing in a library unless that is listened to."""

from __future__ import annotations

import logging
from functools import cache

LOG = logging.getLogger("alexnet_tf")
LOG.setLevel(logging.INFO)
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


@cache
def warn_once(message: str) -> None:
    """Log a warning, but not again in this process."""
    LOG.warning("warning: %s", message)
