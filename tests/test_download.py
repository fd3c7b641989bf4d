"""Downloads that break off, lie, stall and go on: a file is whole and right, or absent."""

import errno
import io
import os
import shutil
import subprocess
import sys
from itertools import count
from types import SimpleNamespace

import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.system import download as module
from alexnet_tf.system.download import DownloadError, download
from tests.support.site import CONTENT, OTHER, nobody


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    return tmp_path


@pytest.fixture
def target(here):
    return here / "folder/file.bin"


def check(path):
    if path.read_bytes() != CONTENT:
        raise UserError(f"{path}: is another file")


def assert_arrived(target):
    assert target.read_bytes() == CONTENT
    assert os.listdir(target.parent) == [target.name]


def failure(target, *sources):
    """Return the message of a download that fails, and leaves nothing under the file's name."""
    with pytest.raises(DownloadError) as caught:
        download(target, sources, check)
    assert not target.exists()
    return str(caught.value)


def test_a_file_arrives_whole_and_alone(site, target):
    download(target, [site.url], check)
    assert_arrived(target)
    assert site.asked == [None]


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("fault", [{"cut": 100_000}, {"cut": 100_000, "stall": True}])
def test_what_broke_off_goes_on_from_there(site, target, validator, fault):
    site.validator, site.faults = validator, [fault]
    download(target, [site.url], check)
    assert_arrived(target)
    first, second = site.asked
    assert first is None and 0 < int(second[len("bytes=") : -1]) <= 100_000


def test_the_next_call_goes_on_where_the_last_one_gave_up(site, target):
    site.faults = [{"cut": 100_000}, {"cut": 0}]
    message = failure(target, site.url)
    assert f"{site.url}: broke off after 100,000 of 300,000 bytes" in message
    assert "0.1 MB have arrived and are kept, 0.2 MB are missing;\nthe same command" in message
    download(target, [site.url], check)
    assert_arrived(target)
    assert site.asked == [None, "bytes=100000-", "bytes=100000-"]


def test_a_source_that_never_gets_to_the_end_is_given_up(site, target):
    site.faults = [{"cut": 1000}] * 100
    assert "broke off after 10,000 of 300,000" in failure(target, site.url)


def test_an_interrupted_check_is_made_up_for_without_a_byte_sent(site, target):
    def interrupted(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(target, [site.url], interrupted)
    assert not target.exists()
    download(target, [site.url], check)
    assert_arrived(target)
    assert site.asked == [None]


def test_a_server_without_ranges_starts_from_nothing(site, target):
    site.ranges, site.faults = False, [{"cut": 200_000}]
    download(target, [site.url], check)
    assert_arrived(target)


def test_a_server_without_ranges_that_never_gets_further_is_given_up(site, target):
    site.ranges, site.faults = False, [{"cut": 200_000}] * 100
    assert "broke off after 200,000 of 300,000 bytes" in failure(target, site.url)


def test_without_a_validator_nothing_is_kept(site, target):
    site.validator, site.faults = None, [{"cut": 200_000}]
    assert "kept" not in failure(target, site.url)
    assert os.listdir(target.parent) == []


def test_a_weak_etag_identifies_no_bytes(site, target):
    site.version, site.faults = 'W/"1"', [{"cut": 200_000}]
    failure(target, site.url)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("size", [300_000, 200_000, 100_000, 50_000])
def test_two_versions_of_a_file_are_never_spliced(site, target, heeds_if_range, size):
    site.content, site.faults = OTHER, [{"cut": 100_000}, {"status": 500}]
    failure(target, site.url)
    site.heeds_if_range = heeds_if_range
    site.content, site.version = CONTENT[:size], "2"
    download(target, [site.url], lambda path: None)
    assert target.read_bytes() == CONTENT[:size]


def test_parts_of_different_sources_are_never_spliced(site, target):
    site.content, site.faults = OTHER, [{"cut": 100_000}, {"status": 500}]
    failure(target, site.url)
    site.content = CONTENT
    download(target, [f"{site.url}?elsewhere"], check)
    assert_arrived(target)
    assert site.asked[-1] is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 404}, "answered 404 Not Found"),
        ({"status": 500}, "answered 500 Internal Server Error"),
        ({"type": "text/html"}, "answered with a web page in place of the file"),
        ({"length": 200_000}, "is another file"),
        ({"length": 400_000}, "broke off after 300,000 of 400,000 bytes"),
        ({"length": 1 << 60}, "MB on the disk, where"),
        ({"length": "many", "cut": 5}, "is another file"),
        ({"no_length": True, "cut": 200_000}, "is another file"),
        ({"cut": 0, "stall": True}, "sent nothing for 0.3 seconds"),
    ],
)
def test_a_bad_source_is_named_and_the_next_one_asked(site, target, fault, reason):
    site.bad, bad = fault, f"{site.url}?bad"
    message = failure(target, bad, nobody())
    assert f"\n  {bad}: " in message and reason in message
    assert ": Connection refused" in message
    download(target, [bad, site.url], check)
    assert_arrived(target)


def test_a_file_proven_wrong_is_not_kept(site, target):
    site.content = OTHER
    message = failure(target, site.url)
    assert message.endswith(f"{site.url}: is another file")
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize(
    "url", ["http://[", "http://127.0.0.1:port/x", "http://ü ü/x", "ftp:x", ""]
)
def test_what_is_no_place_at_all_is_a_reason_too(target, url):
    assert f"\n  {url}: " in failure(target, url)


def test_a_reason_cannot_write_to_the_terminal(target):
    assert "\x1b" not in failure(target, "\x1b[2Jnowhere")


@pytest.mark.parametrize("source", ["mirror", "mirror/", "mirror/file.bin"])
def test_a_mirror_may_be_a_folder_or_a_file(here, target, source):
    (here / "mirror").mkdir()
    (here / "mirror/file.bin").write_bytes(CONTENT)
    download(target, ["nowhere", source], check)
    assert_arrived(target)


def test_a_mirror_may_be_the_url_of_a_folder(site, target):
    download(target, ["nowhere", site.url.removesuffix("file.bin")], check)
    assert_arrived(target)


def test_a_mirror_that_is_not_there_is_named(target):
    assert "nowhere: No such file or directory" in failure(target, "nowhere")


def test_a_copy_from_a_folder_never_passes_for_the_beginning_of_a_url(here, site, target):
    site.content, site.faults = OTHER, [{"cut": 100_000}, {"status": 500}]
    failure(target, site.url)
    (here / "file.bin").write_bytes(CONTENT[:-1])
    failure(target, "file.bin")
    assert os.listdir(target.parent) == []


class FullDisk(io.FileIO):
    """A file on a disk that has room for 150,000 bytes."""

    def write(self, data):
        if self.tell() + len(data) > 150_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_full_disk_ends_it_and_it_goes_on_once_there_is_room(site, target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "open", FullDisk, raising=False)
        message = failure(target, site.url, "another")
    assert f"{site.url}: No space left on device" in message and "another" not in message
    assert "0.1 MB have arrived and are kept, 0.2 MB are missing" in message
    download(target, [site.url], check)
    assert_arrived(target)
    assert site.asked == [None, "bytes=131072-"]


def test_too_little_room_is_said_before_anything_is_written(site, target, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=150_000))
    assert "needs 0.3 MB on the disk, where 0.1 MB are free" in failure(target, site.url)
    assert os.listdir(target.parent) == []


def test_a_terminal_sees_a_bar_in_megabytes(site, target, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    clock = SimpleNamespace(monotonic=count().__next__)
    monkeypatch.setattr("alexnet_tf.system.progress.time", clock)
    site.content, site.faults = CONTENT * 10, [{"cut": 1_500_000}]
    download(target, [site.url], lambda path: None)
    shown = terminal.getvalue().split("\r")
    assert any("file.bin, MB [###############---------------] 2/3" in text for text in shown)
    assert any("[##############################] 3/3    0 s left" in text for text in shown)
    assert shown[-1] == "\x1b[K"


def test_two_commands_that_fetch_one_file_at_once_ask_for_it_once(site, target):
    program = f"""
import logging, sys
from pathlib import Path
from alexnet_tf.system import download as module
from alexnet_tf.system.log import LOG
LOG.addHandler(logging.StreamHandler(sys.stdout))
print("ready", flush=True)
sys.stdin.readline()
module.download(Path({str(target)!r}), [{site.url!r}], lambda path: path.read_bytes())
"""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    words = [sys.executable, "-c", program]
    commands = [subprocess.Popen(words, text=True, **pipes) for _ in range(3)]
    assert [command.stdout.readline() for command in commands] == ["ready\n"] * 3
    for command in commands:
        command.stdin.write("\n")
        command.stdin.flush()
    results = [command.communicate() for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], results
    assert_arrived(target)
    assert len(site.asked) == 1
