"""The files that others publish, fetched and checked by the verbs `weights` and `data`."""

import hashlib
import io
import os
import re
import shutil
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import alexnet_tf.__main__ as program
from alexnet_tf.commands import cli, data
from alexnet_tf.data.sources.cifar import CIFAR10
from alexnet_tf.data.sources.open import PHOTOS
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import starting_weights
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.download import DownloadError, Published
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights import fingerprint
from alexnet_tf.weights.loading import BVLC_FILES, open_weights, read_weights
from alexnet_tf.weights.published import PRETRAINED
from tests.support.formats import BVLC_CONV1, write_onnx
from tests.support.site import CONTENT, nobody


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("ALEXNET_TF_MIRROR", raising=False)
    return tmp_path


def test_a_file_is_fetched_once_and_known_by_the_beginning_of_its_checksum(here, site):
    digest = hashlib.sha256(CONTENT).hexdigest()
    published = Published("file.bin", (site.url,), digest[:8])
    assert published.fetch(here / "weights") == here / "weights/file.bin"
    assert published.fetch(here / "weights") == here / "weights/file.bin"
    assert len(site.asked) == 1


def test_another_file_of_that_name_is_not_touched(here):
    (here / "file.bin").write_bytes(CONTENT)
    published = Published("file.bin", (nobody(),), "0123")
    message = r"file\.bin: is not the published file, .*SHA256 is .*delete"
    with pytest.raises(UserError, match=message):
        published.fetch(here)
    assert (here / "file.bin").read_bytes() == CONTENT


def test_another_file_that_arrives_is_not_kept(here, site):
    published = Published("file.bin", (site.url,), "0123")
    message = f"{site.url}: is not the published .*not 0123\nBy hand"
    with pytest.raises(DownloadError, match=message):
        published.fetch(here)
    assert not (here / "file.bin").exists()


@pytest.mark.parametrize(
    "file", [*PRETRAINED.values(), PHOTOS, CIFAR10], ids=lambda file: file.name
)
def test_every_published_file_has_urls_and_a_checksum(file):
    assert file.urls and all(url.startswith("http") for url in file.urls)
    beginnings = ("bvlcalexnet-12.onnx", "caffenet-12.onnx", "alexnet-owt-7be5be79.pth")
    digits = 8 if file.name in beginnings else 64
    assert re.fullmatch(f"[0-9a-f]{{{digits}}}", file.sha256)


def verb(monkeypatch, *arguments):
    """Run a verb of `python -m alexnet_tf` and return its exit code."""
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
    assert "warning: bvlc_alexnet.npy has the right layers and the right conv1" in first.err
    assert os.listdir("weights") == ["bvlc_alexnet.npy"]
    assert verb(monkeypatch, "weights") == 0
    assert capsys.readouterr().out == first.out


@pytest.fixture
def bvlc_onnx(tmp_path, bvlc_weights):
    """The same as ONNX's model zoo has them."""
    write_onnx(tmp_path / "bvlc.onnx", read_weights(bvlc_weights))
    return tmp_path / "bvlc.onnx"


def published_at(monkeypatch, **urls):
    """Let the files of BVLC AlexNet be published at these URLs, by format, and nowhere else."""
    for name in BVLC_FILES:
        file = replace(PRETRAINED[name], urls=tuple(urls.get(name.rpartition(".")[2], ())))
        monkeypatch.setitem(PRETRAINED, name, file)


def test_a_third_place_is_asked_when_two_are_dead(here, site, bvlc_weights, monkeypatch, capsys):
    site.content, site.faults = bvlc_weights.read_bytes(), [{"status": 404}]
    published_at(monkeypatch, npy=(nobody(), f"{site.url}?gone", f"{site.url}?alive"))
    assert verb(monkeypatch, "weights") == 0
    asked = [line for line in capsys.readouterr().err.splitlines() if ": from " in line]
    assert len(asked) == 3 and asked[-1] == f"bvlc_alexnet.npy: from {site.url}?alive"
    assert os.listdir("weights") == ["bvlc_alexnet.npy"]


def test_an_onnx_arrives_in_place_of_the_npy_and_is_the_default_from_then_on(
    here, site, bvlc_weights, bvlc_onnx, monkeypatch, capsys
):
    site.content = bvlc_onnx.read_bytes()
    site.bad = {"cut": 1000, "length": 5000}
    published_at(monkeypatch, npy=(f"{site.url}?bad",), onnx=(site.url,))
    assert verb(monkeypatch, "weights") == 0
    assert "weights/bvlcalexnet-12.onnx: BVLC AlexNet" in capsys.readouterr().out
    assert os.listdir("weights") == ["bvlcalexnet-12.onnx"]  # and nothing that began to arrive
    default = starting_weights(Settings(), VARIANTS["bvlc"])
    assert fingerprint(default) == fingerprint(open_weights(bvlc_weights, VARIANTS["bvlc"]))
    asked = len(site.asked)
    assert verb(monkeypatch, "weights") == 0 and len(site.asked) == asked


def test_a_file_at_hand_is_put_where_its_format_belongs(here, bvlc_onnx, monkeypatch):
    assert verb(monkeypatch, "weights", "--from", bvlc_onnx) == 0
    assert os.listdir("weights") == ["bvlcalexnet-12.onnx"]


def test_a_mirror_is_asked_for_every_format_before_any_publisher(
    here, bvlc_onnx, site, monkeypatch
):
    (here / "mirror").mkdir()
    shutil.copy(bvlc_onnx, here / "mirror/bvlcalexnet-12.onnx")
    published_at(monkeypatch, npy=(site.url,))
    assert verb(monkeypatch, "weights", "--mirror", "mirror") == 0
    assert os.listdir("weights") == ["bvlcalexnet-12.onnx"] and site.asked == []


def test_weights_of_another_training_are_not_the_published_ones(
    here, random_weights, monkeypatch, capsys
):
    assert verb(monkeypatch, "weights", "--from", random_weights) == 1
    assert "its conv1 is not that of BVLC AlexNet" in capsys.readouterr().err
    assert os.listdir("weights") == []


def test_the_mirror_of_the_environment_comes_first(here, site, bvlc_weights, monkeypatch):
    (here / "mirror").mkdir()
    shutil.copy(bvlc_weights, here / "mirror/bvlc_alexnet.npy")
    monkeypatch.setenv("ALEXNET_TF_MIRROR", "mirror")
    assert verb(monkeypatch, "weights", "--from", site.url) == 0
    assert site.asked == []


def test_the_mirror_that_is_told_comes_first(site, bvlc_weights, monkeypatch, capsys):
    folder = site.url.removesuffix("/file.bin")
    site.content = bvlc_weights.read_bytes()
    monkeypatch.setenv("ALEXNET_TF_MIRROR", "mirror")
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
    assert "~guerzhoy/tf_alexnet/bvlc_alexnet.npy\n    as weights/bvlc_alexnet.npy\n" in message
    assert "    as weights/bvlcalexnet-12.onnx\n" in message
    assert os.listdir("weights") == []


def test_a_damaged_file_with_a_known_checksum_is_refused(here, site, monkeypatch, capsys):
    name = "bvlc_reference_caffenet.caffemodel"
    assert verb(monkeypatch, "weights", name, "--from", site.url) == 1
    assert "not 472d4a06035497b180636d8a82667129" in capsys.readouterr().err


def test_a_damaged_file_that_is_there_is_to_be_deleted(here, monkeypatch, capsys):
    path = here / "weights/bvlc_reference_caffenet.caffemodel"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert verb(monkeypatch, "weights", f"weights/{path.name}") == 2
    assert "delete it to have it fetched again" in capsys.readouterr().err


def test_a_name_that_nobody_publishes_is_answered_with_those_that_are(monkeypatch, capsys):
    assert verb(monkeypatch, "weights", "alexnet.npy") == 2
    message = capsys.readouterr().err
    assert "there is no such file" in message and "bvlc_alexnet.caffemodel" in message


def write_microsofts_zip(path, faces):
    """Write a small one with all that the real one is known for."""
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
    photos = replace(PHOTOS, sha256=hashlib.sha256(site.content).hexdigest())
    monkeypatch.setattr(data, "PHOTOS", photos)
    assert verb(monkeypatch, "data", "--from", site.url) == 0
    assert capsys.readouterr().out.splitlines() == [
        "class  training  validation",
        "cat           4           1",
        "dog           4           1",
        "all           8           2",
        "left out: 6, named with the reason in rejected.txt: 2 × is put there by a system or a "
        "program; 2 × is in no folder of a class and not named cat.N or dog.N; 2 × is empty, no "
        "picture",
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
    assert (
        "Connection refused\nBy hand: download one with a browser, save it\n  https://down"
        in message
    )
    assert "    as data/kagglecatsanddogs_5340.zip" in message
    assert os.listdir("data") == []


def test_pictures_that_are_there_already_are_enough(here, faces, monkeypatch):
    shutil.copytree(faces, here / "data/pets")
    assert verb(monkeypatch, "data", "--from", nobody()) == 0
