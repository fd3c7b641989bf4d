"""A signal ends a step, a second one ends the program; a library leaves signals alone."""

import signal
import subprocess
import sys

import pytest

from alexnet_tf.system import signals as stopping

WORK = """
import time
from alexnet_tf.commands import cli
from alexnet_tf.system import signals as stopping

def main():
    with stopping.postponed():
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
            {then}

cli.run(main, "work")
"""


def work(then, *before):
    """A process that is at its work, and says what it `then` does in each step."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", WORK.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_a_program_when_its_step_is_finished(number, code):
    process = work("stopping.check()")
    process.send_signal(number)
    assert process.communicate()[1] == f"work: stopped by {number.name}\n"
    assert process.returncode == code


def test_a_second_signal_ends_it_at_once():
    process = work("stopping._asked and print('asked', flush=True)")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == -signal.SIGTERM


def test_nohup_is_heeded():
    process = work("stopping.check()", "nohup")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert "stopped by SIGTERM" in process.communicate()[1]


def test_signals_stay_those_of_whoever_uses_the_library():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.postponed():
        stopping.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(stopping.Stopped), stopping.listening():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before
