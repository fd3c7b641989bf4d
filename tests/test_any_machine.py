"""Machines that are not ours: closed pipes, poor disks, little memory, other systems."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.starter import FOLDER
from alexnet_tf.system import children, processor
from alexnet_tf.system.files import write_text
from alexnet_tf.system.locks import locked
from alexnet_tf.system.log import LOG
from alexnet_tf.variants import change, get_variant
from tests.support.places import ROOT
from tests.support.processes import running
from tests.support.verbs import own_log

PREDICT = [sys.executable, str(ROOT / "predict_alexnet.py"), "2"]


def shell(line, *arguments, **options):
    """Run `line` in a shell, where $@ are the arguments."""
    words = ["bash", "-c", line, "bash", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, **options)


def python(code, *arguments, **options):
    """Run `code` in a new Python with the project on its path."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}, **options,
    )  # fmt: skip


@pytest.fixture
def said():
    """The warnings that users see."""
    handler = type("Said", (list,), {"level": 0, "handle": lambda self, r: self.append(r)})()
    LOG.addHandler(handler)
    yield handler
    LOG.removeHandler(handler)


class TestClosedPipes:
    @pytest.mark.parametrize(
        ("line", "answer"),
        [
            ('"$@" | head -n 0; exit ${PIPESTATUS[0]}', ""),
            ('"$@" >&-', ""),
            ('"$@" 2>&-', "cat\n"),
            ('"$@" <&- 2>&-', "cat\n"),
            ('"$@" 2>/dev/full', "cat\n"),
        ],
    )
    def test_answers_are_still_given_and_nobody_complains(self, line, answer, faces, trained_run):
        result = shell(line, *PREDICT, faces / "cat.0.jpg", "--run", trained_run)
        assert (result.returncode, result.stdout, result.stderr) == (0, answer, "")

    def test_a_full_disk_under_the_answers_is_a_failed_run(self, faces, trained_run):
        result = shell('"$@" >/dev/full', *PREDICT, faces / "cat.0.jpg", "--run", trained_run)
        message = "predict_alexnet.py: standard output: No space left on device\n"
        assert (result.returncode, result.stderr) == (1, message)

    def test_work_goes_on_when_nobody_reads_what_it_says(self, tmp_path):
        work = """
import time
from alexnet_tf.commands import cli

def main():
    log = cli.open_log("log")
    for epoch in range(3):
        log.info("epoch %d", epoch)
        time.sleep(0.1)
    return 0

cli.run(main, "work")
"""
        words = 'PYTHONPATH="$1" "$2" -c "$3" | head -n 1; exit ${PIPESTATUS[0]}'
        result = shell(words, ROOT, sys.executable, work, cwd=tmp_path)
        assert (result.returncode, result.stdout, result.stderr) == (0, "epoch 0\n", "")
        assert (tmp_path / "log").read_text().count("epoch") == 3

    def test_what_is_left_to_do_at_the_end_is_done_though_tensorflow_is_not_let_go(self, tmp_path):
        work = """
import atexit, sys, threading, time, types
from alexnet_tf.commands import cli

class Slow:
    def __del__(self):
        print("let go")

def main():
    atexit.register(open("done", "w").write, "by others")
    threading.Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
    sys.modules["tensorflow"] = types.ModuleType("tensorflow")
    sys.modules["tensorflow"].slow = Slow()
    sys.stdout.write("not yet flushed")
    return 3

cli.run(main, "work")
"""
        result = python(work, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (3, "")
        assert result.stdout == "not yet flusheda thread\n"
        assert (tmp_path / "done").read_text() == "by others"


class TestPoorDisks:
    def test_one_without_locks_is_warned_of_once(self, tmp_path, monkeypatch, said):
        def flock(file, operation):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        monkeypatch.setattr("fcntl.flock", flock)
        for _ in range(2):
            with locked(tmp_path):
                pass
        (warning,) = said
        assert "its disk has no locks (Function not implemented)" in warning.getMessage()

    def test_one_that_cannot_sync_is_warned_of_once(self, tmp_path, monkeypatch, said):
        def fsync(handle):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(os, "fsync", fsync)
        for text in ("a", "b"):
            write_text(tmp_path / "file", text)
        assert (tmp_path / "file").read_text() == "b"
        (warning,) = said
        assert "a power cut may cost what was written last" in warning.getMessage()

    def test_one_that_fails_is_not_taken_for_that(self, tmp_path, monkeypatch):
        def fsync(handle):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="Input/output error"):
            write_text(tmp_path / "file", "a")
        assert not list(tmp_path.iterdir())

    def test_a_file_larger_than_one_may_be_is_a_sentence(self, tmp_path):
        work = """
from alexnet_tf.commands import cli
from alexnet_tf.system.files import write_text
cli.run(lambda: write_text("file", "x" * 3_000_000), "work")
"""
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))  # noqa: E731
        result = python(work, cwd=tmp_path, preexec_fn=limit)
        assert result.returncode == 1 and not list(tmp_path.iterdir())
        assert "file: needs 3.0 MB in one file, which is more than a file may have here" in (
            result.stderr
        )

    def test_a_folder_that_takes_no_files_is_named(self, tmp_path, faces):
        """As root one may write anywhere, but not below a file."""
        (tmp_path / "file").touch()
        words = [sys.executable, "-m", "alexnet_tf", "data", faces, "--out", tmp_path / "file/x"]
        result = shell('"$@"', *words, cwd=ROOT)
        assert result.returncode == 1 and "a file is where a folder should be" in result.stderr


class TestLittleMemory:
    def test_too_little_for_tensorflow_is_a_sentence(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))  # noqa: E731
        words = [sys.executable, "-m", "alexnet_tf", "summary", "lenet5"]
        result = shell('"$@"', *words, cwd=ROOT, preexec_fn=limit)
        warning, message = result.stderr.splitlines()
        assert "only 1,000.0 MB of addresses are allowed" in warning
        assert result.returncode == 1 and "the memory was not enough (" in message

    def test_a_network_larger_than_memory_is_a_sentence(self, typed):
        result = typed("alexnet_tf", "summary", "owt", "--classes", 2**31 - 1, code=1)
        (message,) = result.stderr.splitlines()
        assert "the memory was not enough (OOM when allocating tensor with shape" in message


class TestKerasOfOthers:
    def test_a_users_settings_of_keras_change_nothing(self, tmp_path, command, monkeypatch):
        (tmp_path / ".keras").mkdir()
        (tmp_path / ".keras/keras.json").write_text(
            '{"floatx": "float8", "backend": "theano", "image_data_format": "channels_first"}'
        )
        for name, value in {
            "HOME": tmp_path,
            "KERAS_BACKEND": "jax",
            "KERAS_MAX_EPOCHS": "x",
        }.items():
            monkeypatch.setenv(name, str(value))
        result = command("alexnet_tf", "summary", "lenet5")
        assert "(None, 28, 28, 6)" in result.stdout and result.stderr == ""

    @pytest.mark.parametrize(
        ("setting", "value", "usual"),
        [
            ("image_data_format", "channels_first", "channels_last"),
            ("floatx", "float16", "float32"),
            ("dtype_policy", "bfloat16", "float32"),
        ],
    )
    def test_a_library_says_which_setting_does_not_fit(self, setting, value, usual):
        import keras

        from alexnet_tf import AlexNet

        change = getattr(keras.config, f"set_{setting}")
        change(value)
        try:
            with pytest.raises(UserError, match=f"is {value}, and AlexNet needs {usual}"):
                AlexNet("lenet5", 3)
        finally:
            change(usual)

    def test_importing_the_package_is_enough_to_open_a_saved_network(self, tmp_path):
        from alexnet_tf import AlexNet

        AlexNet(change(get_variant("cifar96"), width=0.05), 3).save(tmp_path / "model.keras")
        code = (
            "import sys, alexnet_tf, keras; keras.models.load_model(sys.argv[1]); print('opened')"
        )
        result = python(code, tmp_path / "model.keras")
        assert result.stdout == "opened\n", result.stderr


WINDOWS = """
import os, runpy, signal, sys
# Modules that look at the system when they are imported.
import ai_edge_litert.interpreter, numpy, PIL.Image, subprocess, tempfile, urllib.request
sys.modules |= {"fcntl": None, "resource": None}
del signal.SIGHUP, os.O_NOFOLLOW, os.O_NONBLOCK, os.O_DIRECTORY
sys.platform = "win32"
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class TestOtherSystems:
    def test_windows_answers(self, faces, trained_run):
        pytest.importorskip("ai_edge_litert")
        result = python(WINDOWS, *PREDICT[1:], faces / "cat.0.jpg", "--run", trained_run)
        assert (result.returncode, result.stdout, result.stderr) == (0, "cat\n", "")

    def test_windows_is_told_where_training_runs(self):
        pytest.importorskip("ai_edge_litert")
        result = python(WINDOWS, ROOT / "train_alexnet.py")
        assert result.returncode == 2 and "training runs on Linux, on macOS and" in result.stderr

    @pytest.mark.parametrize("script", ["train_alexnet.py", "predict_alexnet.py"])
    def test_help_needs_no_docstrings(self, script):
        result = shell('"$@"', sys.executable, "-OO", ROOT / script, "--help")
        assert result.returncode == 0 and "None" not in result.stdout and result.stderr == ""

    def test_no_folder_takes_temporary_files(self):
        work = """
import os, tempfile
from alexnet_tf.system.quiet import import_tensorflow, silenced

def none():
    raise FileNotFoundError("No usable temporary directory")

real, os.memfd_create = tempfile._get_default_tempdir, lambda name: none()
tempfile._get_default_tempdir = none
with silenced():
    print("heard", flush=True)
import_tensorflow()
print("imported")
"""
        result = python(work)
        assert result.stdout == "heard\nimported\n", result.stderr


def test_a_precision_that_there_is_not_is_named(typed, faces, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, "int3")
    message = typed("train_alexnet.py", "--data", faces, "--weights", "none", code=2).stderr
    assert "ALEXNET_TF_PRECISION=int3: should be float32, bfloat16, int8 or int8-conv2" in message


@pytest.mark.parametrize("module", ["argparse", "numpy", "PIL.Image", "alexnet_tf.variants"])
def test_ctrl_c_while_the_program_is_imported_ends_it_without_a_traceback(module):
    """Without a word at first; in a sentence once it knows how to say one."""
    words = [sys.executable, "-X", "importtime", *PREDICT[1:], "nowhere.jpg"]
    with running(words, stdout=subprocess.DEVNULL) as process:
        for line in process.stderr:
            if line.split("|")[-1].strip() == module:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        process.wait()
    said = [line for line in rest.splitlines() if not line.startswith("import time:")]
    ends = {-signal.SIGINT: [], 130: ["predict_alexnet.py: stopped by SIGINT"]}
    assert said == ends[process.returncode]


def test_a_child_imports_nothing_that_lies_in_the_working_directory(tmp_path):
    (tmp_path / "numpy.py").write_text("print('a stranger')")
    shutil.copy(tmp_path / "numpy.py", tmp_path / "alexnet_tf.py")
    code = "import numpy, alexnet_tf; print(alexnet_tf.__file__)"
    result = subprocess.run(
        **children.python("-c", code), cwd=tmp_path, capture_output=True, text=True
    )
    assert result.stdout == f"{FOLDER.parent / '__init__.py'}\n"


class TestStandardErrorOfSeveralThreads:
    """A command's standard error, while libraries are kept quiet in several threads."""

    def test_what_python_says_meanwhile_is_heard_and_all_is_given_back(self):
        work = """
import os, sys
from threading import Barrier, Thread
from alexnet_tf.system import streams
from alexnet_tf.system.quiet import silenced

streams.settle()
inside, left = Barrier(3), Barrier(3)

def hide(is_first):
    with silenced():
        inside.wait()
        os.write(2, b"a remark of a library")
        if not is_first:
            left.wait()
    if is_first:
        left.wait()

threads = [Thread(target=hide, args=(first,)) for first in (True, False)]
for thread in threads:
    thread.start()
inside.wait()
print("a traceback", file=sys.stderr)
left.wait()
for thread in threads:
    thread.join()
os.write(2, b"given back")
"""
        result = python(work)
        assert (result.returncode, result.stderr) == (0, "a traceback\ngiven back")

    def test_remarks_are_shown_of_a_block_that_fails(self):
        work = """
import os
from contextlib import suppress
from alexnet_tf.system.quiet import silenced

with silenced():
    os.write(2, b"before,")
    with suppress(ValueError), silenced():
        os.write(2, b"why it failed")
        raise ValueError
"""
        assert python(work).stderr == "why it failed"


def test_a_full_disk_that_tensorflow_calls_a_resource_is_not_called_memory(capsys):
    import tensorflow as tf

    def write():
        words = "saved/variables.data-00000-of-00001; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, words)

    with own_log(), pytest.raises(SystemExit, match="1"):
        cli.run(write, "export")
    assert capsys.readouterr().err.splitlines()[-1] == (
        "export: the disk was full (saved/variables.data-00000-of-00001; No space left on device);"
        " make room, and type the same command again"
    )


def test_no_name_turns_a_line_around_wherever_it_is_printed():
    work = """
import sys
from alexnet_tf.system import streams

streams.settle()
name = "photo_" + chr(0x202e) + "gpj.exe" + chr(0x2069)
print(name, file=sys.stderr)
print(name, "\u05d0\u200d")
"""
    result = python(work)
    assert result.stdout == "photo_\\u202egpj.exe\\u2069 \u05d0\u200d\n"
    assert result.stderr == "photo_\\u202egpj.exe\\u2069\n"
