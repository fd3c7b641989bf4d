import errno
import hashlib
import io
import os
import shutil
import socket
import sys
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import alexnet_tf.__main__ as program
from alexnet_tf.commands import cli, data
from alexnet_tf.errors import UserError
from alexnet_tf.system import download as module
from alexnet_tf.system.download import DownloadError, download
from alexnet_tf.weights.loading import read_weights
from alexnet_tf.weights.published import PHOTOS, PRETRAINED, Published
from alexnet_tf.weights.recognize import BVLC_CONV1

CONTENT = hashlib.shake_128(b"a file").digest(300_000)
OTHER = hashlib.shake_128(b"another").digest(300_000)


class Site:
    """A server on loopback with one file.

    Each request takes the next of `faults`, if any; all for file.bin?bad meet the fault `bad`.
    """

    def __init__(self):
        self.content, self.version, self.validator = CONTENT, "1", "ETag"
        self.ranges = self.heeds_if_range = True
        self.faults, self.bad, self.asked = [], {}, []
        self.closing = Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/file.bin"
        Thread(target=self.server.serve_forever, args=(0.01,)).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def next_fault(self, path):
        if path.endswith("?bad"):
            return self.bad
        return self.faults.pop(0) if self.faults else {}

    def start(self, headers):
        """The byte that the answer begins with."""
        same = headers["If-Range"] == self.version or not self.heeds_if_range
        if not (self.ranges and headers["Range"] and same):
            return 0
        return int(headers["Range"].removeprefix("bytes=").removesuffix("-"))


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        site.asked.append(self.headers["Range"])
        fault, start, size = site.next_fault(self.path), site.start(self.headers), len(site.content)
        status = fault.get("status") or (416 if start >= size else None)
        if status:
            self.send_error(status)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", fault.get("type", "application/octet-stream"))
        if site.validator:
            self.send_header(site.validator, site.version)
        if not fault.get("no_length"):
            self.send_header("Content-Length", str(fault.get("length", size - start)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        self.wfile.write(site.content[start:][: fault.get("cut")])
        if fault.get("stall"):
            site.closing.wait()

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("ALEXNET_TF_MIRROR", raising=False)
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
    """The message of a download that fails, and leaves nothing under the file's name."""
    with pytest.raises(DownloadError) as caught:
        download(target, sources, check)
    assert not target.exists()
    return str(caught.value)


def nobody():
    """A URL of this machine where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"


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
    site.faults = [{"cut": 200_000}] * 100
    target.unlink()
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


def test_mirrors_may_be_folders_and_files(here, site, target):
    (here / "mirror").mkdir()
    (here / "mirror/file.bin").write_bytes(CONTENT)
    folder = site.url.removesuffix("file.bin")
    for source in ("mirror", "mirror/", "mirror/file.bin", folder):
        download(target, ["nowhere", source], check)
        assert_arrived(target)
        target.unlink()
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


def test_a_checksum_or_its_beginning_decides(here, site):
    digest = hashlib.sha256(CONTENT).hexdigest()
    published = Published("file.bin", (site.url,), "sha256", digest[:8])
    assert published.fetch(here / "weights") == here / "weights/file.bin"
    assert published.fetch(here / "weights") and len(site.asked) == 1
    other = replace(published, algorithm="sha1", checksum="0123")
    with pytest.raises(
        UserError, match=r"file\.bin: is not the published file, .*SHA1 is .*delete"
    ):
        other.fetch(here / "weights")
    with pytest.raises(
        DownloadError, match=f"{site.url}: is not the published .*not 0123\nBy hand"
    ):
        other.fetch(here)
    assert (here / "weights/file.bin").is_file() and not (here / "file.bin").exists()


def test_every_published_file_has_urls_and_a_checksum():
    for file in (*PRETRAINED.values(), PHOTOS):
        assert file.urls and all(url.startswith("http") for url in file.urls)
        assert set(file.checksum) <= set("0123456789abcdef")
        assert (
            file.checksum in file.name
            or len(file.checksum) == {"sha1": 40, "sha256": 64}[file.algorithm]
        )


def verb(monkeypatch, *arguments):
    """Run a verb of `python -m alexnet_tf`; its exit code."""
    monkeypatch.setattr(sys, "argv", ["alexnet_tf", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit:
        cli.run(program.main, "alexnet_tf")
    return exit.value.code or 0


@pytest.fixture
def bvlc_weights(tmp_path, random_weights):
    """Random but for the numbers by which BVLC's are known."""
    layers = {name: list(value) for name, value in read_weights(random_weights).items()}
    layers["conv1"][0] = layers["conv1"][0].copy()
    layers["conv1"][0].flat[: len(BVLC_CONV1)] = BVLC_CONV1
    np.save(tmp_path / "bvlc.npy", np.array(layers, dtype=object))
    return tmp_path / "bvlc.npy"


def test_weights_arrive_are_checked_and_listed(here, site, bvlc_weights, monkeypatch, capsys):
    site.content = bvlc_weights.read_bytes()
    site.faults = [{"cut": 5_000_000}]
    assert verb(monkeypatch, "weights", "--from", nobody(), "--from", site.url) == 0
    first = capsys.readouterr()
    assert first.out.splitlines()[:2] == [
        "weights/bvlc_alexnet.npy: BVLC AlexNet",
        "conv1  11 × 11 × 3 × 96",
    ]
    assert "warning: bvlc_alexnet.npy has the right layers, but its SHA256 is" in first.err
    assert os.listdir("weights") == ["bvlc_alexnet.npy"]
    assert verb(monkeypatch, "weights") == 0
    assert capsys.readouterr().out == first.out


def test_weights_of_another_training_are_not_the_published_ones(
    here, random_weights, monkeypatch, capsys
):
    assert verb(monkeypatch, "weights", "--from", random_weights) == 1
    assert "its conv1 is not that of BVLC AlexNet" in capsys.readouterr().err
    assert os.listdir("weights") == []


def test_the_mirror_comes_first(here, site, bvlc_weights, monkeypatch, capsys):
    (here / "mirror").mkdir()
    shutil.copy(bvlc_weights, here / "mirror/bvlc_alexnet.npy")
    monkeypatch.setenv("ALEXNET_TF_MIRROR", "mirror")
    assert verb(monkeypatch, "weights", "--from", site.url) == 0
    shutil.rmtree("weights")
    folder = site.url.removesuffix("/file.bin")
    site.content = bvlc_weights.read_bytes()
    assert verb(monkeypatch, "weights", "--mirror", folder, "--from", "nowhere") == 0
    assert "bvlc_alexnet.npy: from http" in capsys.readouterr().err and len(site.asked) == 1


def test_weights_that_nobody_has_are_a_failed_run(here, site, monkeypatch, capsys):
    site.faults = [{"status": 404}]
    places = ("--from", site.url, "--from", nobody(), "--from", f"{site.url}?other")
    assert verb(monkeypatch, "weights", *places) == 1
    message = capsys.readouterr().err
    assert "weights/bvlc_alexnet.npy: could not be fetched. Tried were, in this order" in message
    assert f"{site.url}: answered 404 Not Found\n" in message
    assert "Connection refused" in message
    assert f"{site.url}?other: is damaged or not a file of weights" in message
    assert "from\n  http://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy" in message
    assert "save it as weights/bvlc_alexnet.npy" in message
    assert os.listdir("weights") == []


def test_a_damaged_file_with_a_known_checksum_is_refused(here, site, monkeypatch, capsys):
    name = "bvlc_reference_caffenet.caffemodel"
    assert verb(monkeypatch, "weights", name, "--from", site.url) == 1
    assert "not 4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46" in capsys.readouterr().err
    (here / "weights" / name).write_bytes(CONTENT)
    assert verb(monkeypatch, "weights", f"weights/{name}") == 2
    assert "delete it to have it fetched again" in capsys.readouterr().err


def test_a_name_that_nobody_publishes_is_answered_with_those_that_are(monkeypatch, capsys):
    assert verb(monkeypatch, "weights", "alexnet.npy") == 2
    message = capsys.readouterr().err
    assert "there is no such file" in message and "bvlc_alexnet.caffemodel" in message


def write_microsofts_zip(path, faces):
    """A small one with all that the real one is known for."""
    with zipfile.ZipFile(path, "w") as file:
        for name in ("Cat", "Dog"):
            for number in range(5):
                photo = faces / f"{name.lower()}.{number}.jpg"
                content = photo.read_bytes()
                if number == 1:  # no JFIF header: the APP0 segment cut out
                    content = content[:2] + content[4 + int.from_bytes(content[4:6]) :]
                if number == 2:
                    png = io.BytesIO()
                    Image.open(io.BytesIO(content)).save(png, "PNG")
                    content = png.getvalue()
                file.writestr(f"PetImages/{name}/{number}.jpg", content)
            file.writestr(f"PetImages/{name}/666.jpg", b"")
            file.writestr(f"PetImages/{name}/Thumbs.db", b"\xd0\xcf\x11\xe0")
        file.writestr("readme[1].txt", "a licence")
        file.writestr("CDLA-Permissive-2.0.pdf", b"%PDF-1.5")


def test_photos_arrive_and_are_listed(here, site, faces, monkeypatch, capsys):
    write_microsofts_zip(here / "pets.zip", faces)
    site.content = (here / "pets.zip").read_bytes()
    site.faults = [{"cut": len(site.content) // 2}]
    photos = replace(PHOTOS, checksum=hashlib.sha256(site.content).hexdigest())
    monkeypatch.setattr(data, "PHOTOS", photos)
    assert verb(monkeypatch, "data", "--from", site.url) == 0
    assert capsys.readouterr().out.splitlines() == [
        "class  training  validation",
        "cat           4           1",
        "dog           4           1",
        "all           8           2",
        "left out: 6, named with the reason in rejected.txt",
    ]
    rejected = (here / "data/rejected.txt").read_text().splitlines()
    assert sorted(os.path.basename(line.split("\t")[0]) for line in rejected) == [
        "666.jpg", "666.jpg", "CDLA-Permissive-2.0.pdf", "Thumbs.db", "Thumbs.db", "readme[1].txt",
    ]  # fmt: skip
    asked = len(site.asked)
    for name in ("train.txt", "val.txt"):
        (here / "data" / name).unlink()
    assert verb(monkeypatch, "data") == 0 and len(site.asked) == asked


def test_photos_that_nobody_has_are_a_failed_run(monkeypatch, capsys):
    assert verb(monkeypatch, "data", "--from", nobody()) == 1
    message = capsys.readouterr().err
    assert "Connection refused\nBy hand: download it with a browser from\n  https://down" in message
    assert "save it as data/kagglecatsanddogs_5340.zip" in message
    assert os.listdir("data") == []


def test_pictures_that_are_there_already_are_enough(here, faces, monkeypatch):
    shutil.copytree(faces, here / "data/pets")
    assert verb(monkeypatch, "data", "--from", nobody()) == 0
