"""Messages to programs in Python: warnings on standard error, settings by their names in Python."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alexnet_tf.errors import RunError, UserError
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system.log import LOG
from alexnet_tf.system.text import printable_lines

# Arguments of `train` and of the methods of a run that command lines have, too.
ARGUMENTS = {*DEFAULTS, "run", "recipe", "crops", "int8", "format"}
# A command to type, which stays as it is, or an option.
OPTION = re.compile(r"`[^`]*`|(?<![\w/.-])--(?P<no>no-)?(?P<name>[a-z0-9][a-z0-9-]*)(?![\w.])")


@contextmanager
def in_python() -> Iterator[None]:
    """Run a block whose errors and warnings, on standard error too, name arguments, not options."""
    handler = _Warnings(logging.WARNING)
    LOG.addHandler(handler)
    try:
        yield
    except (UserError, RunError) as error:
        error.args = (with_arguments(str(error)),)
        raise
    finally:
        LOG.removeHandler(handler)


def with_arguments(text: str) -> str:
    """Name the arguments of Python instead of options: learning_rate for --learning-rate."""
    return OPTION.sub(_argument, text)


def _argument(match: re.Match[str]) -> str:
    name = (match["name"] or "").replace("-", "_")
    if name not in ARGUMENTS:
        return match[0]
    return f"{name}=False" if match["no"] else name


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = printable_lines(with_arguments(record.getMessage()))
        print(f"alexnet_tf: {text}", file=sys.stderr)
