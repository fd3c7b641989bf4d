"""Data sets by the names under which others publish them: what their libraries read is read."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from zipfile import ZipFile

import pytest

from alexnet_tf.data.dataset import Dataset, open_dataset
from alexnet_tf.data.sources import named
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import DownloadError
from tests.support.pictures import classes, picture

NAMES = ("tulip", "aster", "rose")  # not in alphabetical order
COUNTS = {"train": 12, "validation": 6, "test": 3}


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Work in an empty folder, with empty caches, where nobody answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def connect(self, address):
        raise ConnectionRefusedError(f"{address} was to be reached")

    monkeypatch.setattr(socket.socket, "connect", connect)


def encoded(count: int) -> list[tuple[bytes, int]]:
    """Return the bytes of that many pictures, and the number of the class of each."""
    found = [picture(Path("drawn.png")).read_bytes() for _ in range(count)]
    Path("drawn.png").unlink()
    return [(content, number % 3) for number, content in enumerate(found)]


def contents(dataset: Dataset) -> set[tuple[str, str, str]]:
    """Return (split, class, SHA-256) of each picture."""
    return {
        (part, dataset.classes[each.label], each.digest)
        for part in COUNTS
        for each in getattr(dataset, part)
    }


def meant(part: str, label: int, content: bytes) -> tuple[str, str, str]:
    return part, NAMES[label], hashlib.sha256(content).hexdigest()


def in_cache_of_hugging_face(monkeypatch: pytest.MonkeyPatch, name: str, revision: str) -> Path:
    """Return a new folder in which huggingface_hub has the revision `main` of a data set."""
    constants = pytest.importorskip("huggingface_hub.constants")
    cache = Path("hub").absolute()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    here = cache / f"datasets--{name.replace('/', '--')}"
    (here / "refs").mkdir(parents=True)
    (here / "refs/main").write_text(revision)
    (here / "snapshots" / revision).mkdir(parents=True)
    return here / "snapshots" / revision


def test_a_folder_of_hugging_face_is_read_from_its_cache_without_a_network(monkeypatch):
    """Its files are links there."""
    folder = in_cache_of_hugging_face(monkeypatch, "owner/flowers", "a" * 40)
    for part, count in COUNTS.items():
        classes(Path("blobs") / part, *sorted(NAMES), count=count)
    for path in Path("blobs").rglob("*.png"):
        link = folder / path.relative_to("blobs")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.absolute())
    dataset = open_dataset("hf:owner/flowers")
    assert dataset.classes == tuple(sorted(NAMES))
    assert [len(getattr(dataset, part)) for part in COUNTS] == [36, 18, 9]
    assert contents(open_dataset("blobs")) == contents(dataset)
    assert contents(open_dataset(f"hf:owner/flowers@{'a' * 40}")) == contents(dataset)
    with pytest.raises(DownloadError, match="hf:owner/flowers@v2: huggingface_hub cannot fetch it"):
        open_dataset("hf:owner/flowers@v2")


def test_parquet_of_hugging_face_is_read_as_datasets_reads_it(monkeypatch):
    datasets = pytest.importorskip("datasets")
    folder = in_cache_of_hugging_face(monkeypatch, "owner/flowers", "b" * 40)
    features = datasets.Features(
        image=datasets.Image(), label=datasets.ClassLabel(names=list(NAMES))
    )
    for part, count in COUNTS.items():
        pairs = encoded(count)
        table = {
            "image": [{"bytes": content, "path": None} for content, _ in pairs],
            "label": [label for _, label in pairs],
        }
        made = datasets.Dataset.from_dict(table, features=features)
        made.to_parquet(folder / f"data/{part}-00000-of-00001.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    oracle = datasets.load_dataset(str(folder), cache_dir=str(Path("cache").absolute()))
    oracle = oracle.cast_column("image", datasets.Image(decode=False))
    dataset = open_dataset("hf:owner/flowers")
    assert dataset.classes == tuple(oracle["train"].features["label"].names) == NAMES
    assert contents(dataset) == {
        meant(part, row["label"], row["image"]["bytes"]) for part in COUNTS for row in oracle[part]
    }


def test_a_data_set_of_tensorflow_is_read_as_tensorflow_datasets_reads_it():
    """It is in the folder of that library, which need not know how it was made."""
    tfds = pytest.importorskip("tensorflow_datasets")
    pairs = {part: encoded(count) for part, count in COUNTS.items()}

    with tfds.core.registered.skip_registration():

        class Blossoms(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.2.0")

            def _info(self):
                label = tfds.features.ClassLabel(names=NAMES)
                image = tfds.features.Image(encoding_format="png")
                features = tfds.features.FeaturesDict({"image": image, "label": label})
                return tfds.core.DatasetInfo(builder=self, features=features)

            def _split_generators(self, _):
                return {part: self._generate_examples(part) for part in pairs}

            def _generate_examples(self, part):
                for number, (content, label) in enumerate(pairs[part]):
                    Path("row.png").write_bytes(content)
                    yield number, {"image": "row.png", "label": label}

    home = Path("tensorflow_datasets").absolute()
    Blossoms(data_dir=home).download_and_prepare()
    tfds.core.add_data_dir(home)
    try:
        builder = tfds.builder("blossoms")
        dataset = open_dataset("tfds:blossoms")
        assert contents(open_dataset("tfds:blossoms:1.2.0")) == contents(dataset)
        with pytest.raises(UserError, match="tfds:blossom: tensorflow_datasets cannot fetch it: D"):
            open_dataset("tfds:blossom")
    finally:
        tfds.core.utils.file_utils.clear_registered_data_dirs()
    skip = {"image": tfds.decode.SkipDecoding()}
    assert dataset.classes == tuple(builder.info.features["label"].names) == NAMES
    assert contents(dataset) == {
        meant(part, int(row["label"]), row["image"])
        for part in COUNTS
        for row in tfds.as_numpy(builder.as_dataset(part, decoders=skip))
    }


def test_data_sets_of_kaggle_are_read_from_its_cache_without_a_network(tmp_path):
    """The newest version that is there; of a competition the training part in its zip."""
    pytest.importorskip("kagglehub")
    home = tmp_path / "kaggle/datasets/owner/pets"
    with pytest.raises(DownloadError, match="kaggle:owner/pets: kagglehub cannot fetch it: "):
        open_dataset("kaggle:owner/pets")
    for version in (2, 10):
        classes(home / f"versions/{version}", "cat", f"dog{version}", count=7)
        (home / f"{version}.complete").touch()
    assert open_dataset("kaggle:owner/pets").classes == ("cat", "dog10")
    assert open_dataset("kaggle:owner/pets/versions/2").classes == ("cat", "dog2")

    home = tmp_path / "kaggle/competitions"
    home.joinpath("dogs-vs-cats").mkdir(parents=True)
    home.joinpath("dogs-vs-cats.complete").touch()
    with ZipFile(home / "dogs-vs-cats/train.zip", "w") as archive:
        for number, (content, _) in enumerate(encoded(16)):
            archive.writestr(f"train/{('cat', 'dog')[number % 2]}.{number}.png", content)
    assert open_dataset("kaggle:competitions/dogs-vs-cats").classes == ("cat", "dog")


def test_a_folder_that_is_called_like_a_name_is_that_folder(monkeypatch):
    classes(Path("hf:owner"), "aster", "tulip", count=7)
    assert open_dataset("hf:owner").classes == ("aster", "tulip")
    monkeypatch.setattr(named, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="tfds:mnist: needs tensorflow-datasets: "):
        open_dataset("tfds:mnist")
    assert not os.path.exists("data")
