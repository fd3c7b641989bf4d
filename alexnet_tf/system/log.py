"""The program's log, which a library shows only if its user configures logging."""

import logging
from functools import cache

LOG = logging.getLogger("alexnet_tf")
LOG.setLevel(logging.INFO)
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


@cache
def warn_once(message: str) -> None:
    """Log a warning once per process."""
    LOG.warning("warning: %s", message)
