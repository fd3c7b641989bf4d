"""What every command line shares: exit codes, messages, the log."""

import argparse
import atexit
import errno
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system import buckets, quiet, signals, streams
from alexnet_tf.system.disk import NoRoom, is_full
from alexnet_tf.system.files import check_replaceable
from alexnet_tf.system.log import LOG
from alexnet_tf.system.program import installing_all
from alexnet_tf.system.text import printable, printable_lines

REMEDIES = {
    errno.EROFS: "name a place that can be written to",
    errno.EACCES: "name a place that you may use, or ask its owner",
    errno.EPERM: "name a place that you may use, or ask its owner",
    errno.ENOTDIR: "a file is where a folder should be; name another place",
    errno.EMFILE: "allow more open files (`ulimit -n 1024`)",
}
EXHAUSTED = (
    "the memory was not enough ({}); end other programs, allow more (`ulimit -v unlimited`), or "
    "ask for less at once: a smaller --batch-size, fewer --threads"
)
FULL = "the disk was full ({}); make room, and type the same command again"
# What TensorFlow, to which a full disk is a resource like memory, repeats of the system's words.
NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
# As TensorFlow, dynamic libraries and Python say that there is none.
NO_MORE = (
    "OOM when allocating", "failed to map segment", "annot allocate memory", "start new thread",
)  # fmt: skip

# Attributes of options that argparse names otherwise than the options themselves.
DESTINATIONS = {"RUN": "runs", "--run": "runs", "--class": "label", "--from": "places"}

# To the user, where no log is open.
WARNINGS = logging.StreamHandler()
WARNINGS.setLevel(logging.WARNING)


def run(main: Callable[[], int | None], name: str) -> None:
    """Run `main` and exit: 0 or what it returns, 2 for bad input, 1 for a failure of the system.

    A signal that asks to end it gives 130 or 143, as a shell would say. None of these shows a
    traceback: their message, on standard error and in the log where one is open, is a sentence for
    a person.
    """
    streams.settle()
    _settle_keras()
    WARNINGS.stream = sys.stderr
    WARNINGS.setFormatter(_Printable(f"{name}: %(message)s"))
    LOG.addHandler(WARNINGS)
    try:
        with signals.listening():
            code = main()
            buckets.send_all()
        sys.stdout.flush()
    except UserError as error:
        code = _report(name, error, 2)
    except RunError as error:
        code = _report(name, error, 1)
    except OSError as error:
        code = _report(name, _sentence(error), 1)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("alexnet_tf"):
            raise
        code = _report(name, f"{sys.executable} lacks {error.name}; {installing_all()}", 1)
    except signals.Stopped as stop:
        code = _report(name, stop, stop.code)
    except Exception as error:
        if not _is_exhausted(error):
            raise
        words = FULL if any(map(str(error).count, NO_ROOM)) else EXHAUSTED
        code = _report(name, words.format(_gist(error)), 1)
    if "tensorflow" in sys.modules and "TF_CONFIG" not in os.environ:  # other workers wait for it
        atexit.register(end_process, code or 0)
    sys.exit(code)


def end_process(code: int) -> None:
    """End the process as Python would, but let nothing go that ends with it anyway: with
    TensorFlow's memory and threads that takes a second."""
    atexit.unregister(end_process)
    atexit._run_exitfuncs()  # those that others have registered
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong, and what was probably meant, in place of all options."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError."""
        from difflib import get_close_matches  # a cold prediction does not wait for it

        found = re.match(r"unrecognized arguments: (\S+)|.*invalid choice: '([^']*)'", message)
        wrong = (found[1] or found[2]).partition("=")[0] if found else ""
        choices = [name for action in self._actions for name in action.choices or ()]
        options = [name for name in self._option_string_actions if name != "--help"]
        names = options if wrong.startswith("-") else map(str, choices)
        near = get_close_matches(wrong.lower(), names, n=1)
        if "--data" in options and os.path.exists(wrong):
            near = [f"--data {wrong}"]
        elif wrong[2:].upper() in [action.metavar for action in self._get_positional_actions()]:
            near = [f"{wrong[2:].upper()} without {wrong}"]
        meant = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{printable(message)}{meant} (`{self.prog} --help` explains all)")


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line, whose options may stand anywhere before ``--``, and none behind it."""
    end = words.index("--") if "--" in words else len(words)
    # argparse forgets, between options and the rest, what was behind --; no argument holds NUL.
    hidden = [f"\0{word}" if word.startswith("-") else word for word in words[end + 1 :]]
    options = parser.parse_intermixed_args([*words[:end], *hidden])
    for name, value in vars(options).items():
        if isinstance(value, str):
            setattr(options, name, value.replace("\0", ""))
        elif isinstance(value, list):
            setattr(options, name, [each.replace("\0", "") for each in value])
    return options


def refuse(options: argparse.Namespace, names: Sequence[str], reason: str) -> None:
    """Raise UserError, with the reason, where one of the options `names` is given on the command
    line; one that is not should be None, False or empty."""
    for name in names:
        value = getattr(options, DESTINATIONS.get(name, name[2:].replace("-", "_")))
        if value or (value == 0 and value is not False):
            raise UserError(f"{name}: {reason}")


def _settle_keras() -> None:
    """Have Keras compute as here is expected, whatever a user's settings for other programs say."""
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["KERAS_HOME"] = os.devnull  # where there is no keras.json
    quiet.is_command = True


def _report(name: str, message: object, code: int) -> int:
    LOG.removeHandler(WARNINGS)
    print(f"{name}: {printable_lines(message)}", file=sys.stderr)
    LOG.error("%s", message)
    return code


def _sentence(error: OSError) -> str:
    """Put what the system refused into words, with the path and what to do."""
    if not (error.filename and error.strerror):
        return error.strerror or str(error)
    remedy = REMEDIES.get(error.errno or 0)
    return f"{error.filename}: {error.strerror}" + (f"; {remedy}" if remedy else "")


def _gist(error: Exception) -> str:
    """Return what an error says, without the places in TensorFlow that it names."""
    return re.sub(r"\{\{.*?\}\} ?| on /job.*", "", str(error).strip().split("\n")[0])


def _is_exhausted(error: Exception) -> bool:
    """Tell whether `error` says that there was no more memory, or no more threads."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError"}) or (
        isinstance(error, ImportError | RuntimeError) and any(map(str(error).count, NO_MORE))
    )


class _LogFile(logging.FileHandler):
    """A log file that raises NoRoom when the disk is full, and then is written to no more."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exception()
        if not isinstance(error, OSError) or not is_full(error):
            return super().handleError(record)
        LOG.removeHandler(self)
        raise NoRoom(Path(self.baseFilename), len(self.format(record)), error.errno) from error


class _Screen(logging.StreamHandler[TextIO]):
    """Standard output, which may be closed while the work goes on: the log file has it all."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


# The options of `add_places`.
PLACES = ("--from", "--mirror")


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options of whatever fetches a file."""
    parser.add_argument(
        "--from",
        dest="places",
        action="append",
        default=[],
        metavar="PATH_OR_URL",
        help="where to fetch the file from, instead of its publisher; several are tried in order",
    )
    parser.add_argument(
        "--mirror",
        metavar="DIR_OR_URL",
        help="a folder to look for the file in first ($ALEXNET_TF_MIRROR)",
    )


def places(options: argparse.Namespace) -> tuple[str | None, list[str]]:
    """Return the mirror and the places that the options of `add_places` name."""
    return options.mirror or os.environ.get("ALEXNET_TF_MIRROR"), options.places


def open_log(path: str | Path) -> logging.Logger:
    """Open a log that goes to standard output and, with times, to the end of the file `path`."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if not str(path).startswith("/dev/"):  # where /dev/stdout is a link
        check_replaceable(Path(path))
    file = _LogFile(path, encoding="utf-8")
    file.setFormatter(_Printable("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    screen = _Screen(sys.stdout)
    screen.setFormatter(_Printable())
    screen.addFilter(lambda record: record.levelno < logging.ERROR)  # standard error has those
    LOG.removeHandler(WARNINGS)
    for handler in (file, screen):
        LOG.addHandler(handler)
    return LOG


class _Printable(logging.Formatter):
    """Lines safe to show: names are a stranger's, and may be meant for the terminal to obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))
