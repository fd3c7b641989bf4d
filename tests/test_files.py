"""Only what is the program's own is written over or deleted."""

import os
from pathlib import Path

import pytest

from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import download
from alexnet_tf.system.files import atomic_write, remove_leftovers, write_text
from alexnet_tf.system.locks import locked


@pytest.fixture
def precious(tmp_path) -> Path:
    """A file of the user's, which must stay as it is."""
    path = tmp_path / "precious"
    path.write_text("years of work")
    yield path
    assert path.read_text() == "years of work"


def a_link(path: Path, precious: Path) -> None:
    path.symlink_to(precious)


def a_dangling_link(path: Path, precious: Path) -> None:
    path.symlink_to("nowhere")


def a_folder(path: Path, precious: Path) -> None:
    path.mkdir()


def a_pipe(path: Path, precious: Path) -> None:
    os.mkfifo(path)


OTHERS = [(a_link, "is a link"), (a_dangling_link, "is a link"), (a_folder, "is a folder"),
          (a_pipe, "is a device, a pipe or the like")]  # fmt: skip


@pytest.mark.parametrize(("make", "kind"), OTHERS)
def test_only_a_regular_file_is_replaced(tmp_path, precious, make, kind):
    make(tmp_path / "file", precious)
    before = (tmp_path / "file").lstat()
    with pytest.raises(UserError, match=f"file: {kind}"):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").lstat() == before and not list(tmp_path.glob(".*"))


def test_a_device_is_not_replaced_even_by_root():
    with pytest.raises(UserError, match="/dev/null: is a device"):
        write_text("/dev/null", "new")
    assert Path("/dev/null").is_char_device()


def test_what_became_a_link_in_the_meantime_is_not_replaced(tmp_path, precious):
    with (
        pytest.raises(UserError, match="is a link"),
        atomic_write(tmp_path / "file", 3) as temporary,
    ):
        temporary.write_text("new")
        (tmp_path / "file").symlink_to(precious)
    assert not list(tmp_path.glob(".*"))


def test_processes_of_one_number_as_in_containers_do_not_write_into_each_others_file(tmp_path):
    path = tmp_path / "file"
    with atomic_write(path, 0) as first:
        first.write_text("first")
        with atomic_write(path, 0) as second:
            second.write_text("second")
        assert path.read_text() == "second" and first.read_text() == "first"
    assert path.read_text() == "first" and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("make", "kind"), OTHERS)
def test_a_lock_is_a_regular_file(tmp_path, precious, make, kind):
    make(tmp_path / ".lock", precious)
    with pytest.raises(UserError, match=rf"\.lock: {kind}"), locked(tmp_path):
        pass


def test_a_lock_that_is_another_name_of_somebodys_file_is_left_alone(tmp_path, precious):
    os.link(precious, tmp_path / ".lock")
    message = "holds more than the number of a process"
    with pytest.raises(UserError, match=message), locked(tmp_path):
        pass


@pytest.mark.parametrize(("make", "kind"), OTHERS)
def test_a_log_is_a_regular_file(tmp_path, precious, make, kind):
    make(tmp_path / "log", precious)
    with pytest.raises(UserError, match=f"log: {kind}"):
        cli.open_log(tmp_path / "log")


def test_a_download_does_not_go_through_a_link(tmp_path, precious):
    (tmp_path / "source").write_text("new")
    (tmp_path / ".file.part.npy").symlink_to(precious)
    download(tmp_path / "file.npy", [str(tmp_path / "source")], lambda path: None)
    assert (tmp_path / "file.npy").read_text() == "new"


def test_leftovers_are_files_of_the_programs_own_names(tmp_path):
    own = (".epoch-0001.7.tmp.npz", ".epoch-0002.unfinished.1234.tmp.npz")
    others = (
        ".draft.tmp", ".~epoch.tmp.npz", ".syncthing.epoch-0001.npz.tmp", ".epoch-0001.x.tmp.npz",
        ".other.7.tmp.npz", "epoch-0001.npz", "sub/.epoch-0001.7.tmp.npz",
    )  # fmt: skip
    (tmp_path / "sub").mkdir()
    for name in (*own, *others):
        (tmp_path / name).touch()
    (tmp_path / ".epoch-0003.7.tmp.npz").mkdir()
    (tmp_path / ".epoch-0004.7.tmp.npz").symlink_to("sub")
    remove_leftovers(tmp_path, ("epoch-*.npz",))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {*others, "sub", ".epoch-0003.7.tmp.npz", ".epoch-0004.7.tmp.npz"}
