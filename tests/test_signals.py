"""A signal ends a step, a second one ends the program; a library leaves signals alone."""

import signal
import sys
from contextlib import contextmanager

import pytest

from alexnet_tf.system import signals
from tests.support.processes import read_until, running

WORK = """
import signal, time
from alexnet_tf.commands import cli
from alexnet_tf.system import signals

def main():
    with signals.postponed():
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
            {then}

cli.run(main, "work")
"""
# In a step that never ends: the first signal has come when the next one is no longer ours.
SAY_WHEN_ASKED = """\
signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and print("asked", flush=True)"""


@contextmanager
def work(then, *before):
    """Start a process that is at its work, and does what it is told `then` in each step."""
    with running([*before, sys.executable, "-c", WORK.format(then=then)]) as process:
        read_until(process, "ready")
        yield process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_a_program_when_its_step_is_finished(number, code):
    with work("signals.check()") as process:
        process.send_signal(number)
        assert process.communicate()[1] == f"work: stopped by {number.name}\n"
    assert process.returncode == code


def test_what_was_printed_when_a_signal_comes_is_not_printed_again():
    said = """if True:
        import time
        from alexnet_tf.commands import cli
        cli.run(lambda: (print("said", flush=True), time.sleep(60)), "say")
    """
    for _ in range(12):  # it comes a little later each time
        with running([sys.executable, "-c", said]) as process:
            read_until(process, "said")
            process.send_signal(signal.SIGINT)
            assert process.communicate() == ("", "say: stopped by SIGINT\n")


def test_a_second_signal_ends_it_at_once():
    with work(SAY_WHEN_ASKED) as process:
        process.send_signal(signal.SIGINT)
        read_until(process, "asked")
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == -signal.SIGTERM


def test_nohup_is_heeded():
    with work("signals.check()", "nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert "stopped by SIGTERM" in process.communicate()[1]


@pytest.fixture
def handlers():
    """Check that a test leaves the signal handlers as they were."""
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    yield
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_outside_of_listening_signals_stay_those_of_whoever_uses_the_library(handlers):
    with signals.postponed():
        signals.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_after_listening_signals_are_what_they_were(handlers):
    with pytest.raises(signals.Stopped), signals.listening():
        signal.raise_signal(signal.SIGTERM)
