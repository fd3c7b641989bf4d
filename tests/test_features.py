import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from alexnet_tf.data import dataset as datasets
from alexnet_tf.data.dataset import Picture, open_dataset
from alexnet_tf.data.features import store as features
from alexnet_tf.data.features.batches import BATCH
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights
from tests.support.places import ROOT


def forward(inputs):
    """Stand in for the convolutions: the means of 36 × 256 patches, and a trace of the place."""
    assert inputs.shape == (BATCH, 227, 227, 3)
    flat = inputs[:, :192, :192].reshape(BATCH, 9216, -1).mean(-1)
    return (flat + 0.25 * np.arange(BATCH)[:, None]).reshape(BATCH, 6, 6, 256)


@pytest.fixture(scope="module")
def photos(faces, tmp_path_factory):
    """Copy the faces, and each once more with something after the end of the picture."""
    folder = shutil.copytree(faces, tmp_path_factory.mktemp("photos") / "photos")
    for path in sorted(folder.iterdir()):
        another = path.with_stem(f"{path.stem}00")
        another.write_bytes(path.read_bytes() + b"another")
    return folder


@pytest.fixture
def pictures(photos):
    dataset = open_dataset(photos)
    return sorted((*dataset.train, *dataset.validation), key=lambda picture: picture.path)


@pytest.fixture
def open_store(tmp_path, random_weights):
    weights = read_weights(random_weights)

    def store(variant="bvlc", resize="short", mirror=True, weights=weights, worker=0):
        made = FeatureStore.of_layer(tmp_path, VARIANTS[variant], resize, weights, mirror=mirror)
        return made.open(worker)

    return store


def everything(store, pictures):
    slots = store.slots(pictures)
    return np.stack([store.read(slots, view) for view in range(store.flips)])


def test_a_picture_and_its_mirror_image_are_stored(open_store, pictures):
    store = open_store()
    assert store.fill(pictures[:3], forward) == {}
    batch = np.zeros((BATCH, 227, 227, 3), np.uint8)
    batch[2] = load_image(pictures[2].path)
    for view, seen in enumerate((batch, batch[:, :, ::-1])):
        expected = forward(seen).reshape(BATCH, -1)[2].astype(np.float16)
        np.testing.assert_array_equal(store.read(store.slots([pictures[2]]), view)[0], expected)


def test_they_are_there_the_next_time(open_store, pictures):
    first = open_store()
    first.fill(pictures, forward)
    second = open_store()
    assert all(picture in second for picture in pictures)
    np.testing.assert_array_equal(everything(first, pictures), everything(second, pictures))


def test_pictures_are_resized_as_told(open_store, pictures):
    seen = []
    open_store(resize="squash").fill(
        pictures[:1], lambda inputs: seen.append(inputs[0]) or forward(inputs)
    )
    np.testing.assert_array_equal(seen[0], load_image(pictures[0].path, resize="squash"))


def test_only_what_is_new_is_computed(open_store, pictures):
    store = open_store()
    store.fill(pictures[:40], forward)
    before = everything(store, pictures[:40])
    calls = []
    store.fill(pictures, lambda inputs: calls.append(1) or forward(inputs))
    assert len(calls) == 2 * -(-80 // BATCH)
    np.testing.assert_array_equal(everything(store, pictures[:40]), before)


def test_what_workers_have_written_side_by_side_is_read_as_one_store(open_store, pictures):
    parts = pictures[::2], pictures[1::2]
    written = [open_store(worker=number) for number in (0, 1)]
    for store, part in zip(written, parts):
        store.fill(part, forward)
    store = open_store()
    assert store.missing(pictures) == []
    mixed = everything(store, [*parts[0], *parts[1]][::-1])
    own = [everything(*each) for each in zip(written, parts)]
    np.testing.assert_array_equal(mixed[:, ::-1], np.concatenate(own, axis=1))


def test_a_picture_of_another_worker_is_read_by_itself(open_store, pictures):
    """Its first, and one of its own beside it: places in two parts of the store."""
    for number, part in enumerate((pictures[:3], pictures[3:6])):
        open_store(worker=number).fill(part, forward)
    store = open_store()
    together = everything(store, pictures[:6])
    for number in range(6):
        alone = everything(store, [pictures[number]])
        np.testing.assert_array_equal(alone[:, 0], together[:, number])
    assert np.ptp(together, axis=1).max() > 0


def test_a_store_of_pictures_mirrors_those_that_are_asked_for(tmp_path, pictures):
    store = FeatureStore.of_pictures(tmp_path, VARIANTS["bvlc"], "short", 227).open()
    assert store.fill(pictures[:3]) == {}
    found = store.read(store.slots(pictures[:3]), np.array([0, 1, 0]))
    first, second, third = (load_image(picture.path) for picture in pictures[:3])
    np.testing.assert_array_equal(found, [first, second[:, ::-1], third])


def test_a_layer_has_one_view_unless_mirror_images_are_asked_for(tmp_path, random_weights):
    weights = read_weights(random_weights)
    store = FeatureStore.of_layer(tmp_path, VARIANTS["bvlc"], "short", weights)
    assert (store.flips, store.shape, store.dtype) == (1, (9216,), np.float16)


def test_an_interrupted_extraction_goes_on_with_the_same_bits(open_store, tmp_path, pictures):
    calls = []

    def breaks(inputs):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return forward(inputs)

    whole = open_store(mirror=True)
    whole.fill(pictures, forward)
    expected = everything(whole, pictures)
    for file in whole.directory.iterdir():
        file.unlink()
    with pytest.raises(KeyboardInterrupt):
        open_store().fill(pictures, breaks)
    store = open_store()
    assert sum(picture in store for picture in pictures) == BATCH
    store.fill(pictures, forward)
    np.testing.assert_array_equal(everything(store, pictures), expected)


@pytest.mark.parametrize("damage", ["bit", "truncated", "index"])
def test_a_broken_batch_is_redone_with_the_same_bits(open_store, pictures, damage):
    store = open_store()
    store.fill(pictures, forward)
    expected = everything(store, pictures)
    data, index = store.directory / "values", store.directory / "index"
    if damage == "bit":
        content = bytearray(data.read_bytes())
        content[12345] ^= 1
        data.write_bytes(content)
    elif damage == "truncated":
        data.write_bytes(data.read_bytes()[:-1])
    else:
        index.write_bytes(index.read_bytes()[:-1])
    again = open_store()
    assert 0 < sum(picture not in again for picture in pictures) <= BATCH
    again.fill(pictures, forward)
    np.testing.assert_array_equal(everything(again, pictures), expected)


def test_other_weights_variants_sizes_or_views_have_a_store_of_their_own(
    open_store, random_weights
):
    other = read_weights(random_weights)
    kernel, bias = other["conv5"]
    other["conv5"] = (kernel, bias + 1)
    stores = [
        open_store(),
        open_store("caffenet"),
        open_store(resize="squash"),
        open_store(mirror=False),
        open_store(weights=other),
    ]
    assert len({store.directory for store in stores}) == 5


def test_a_picture_that_vanished_meanwhile_is_reported(open_store, pictures, tmp_path):
    gone = Picture(str(tmp_path / "gone.jpg"), 0, "f" * 64)
    store = open_store()
    assert store.fill([pictures[0], gone, pictures[1]], forward) == {gone.path: "does not exist"}
    assert gone not in store and pictures[1] in store


def test_values_that_no_float16_holds_are_an_error(open_store, pictures):
    with pytest.raises(UserError, match="do not fit the variant 'bvlc'"):
        open_store().fill(pictures[:1], lambda inputs: np.full((BATCH, 6, 6, 256), 1e5, np.float32))


def test_a_picture_and_view_costs_at_most_20_kb(open_store, pictures):
    store = open_store()
    store.fill(pictures[:BATCH], forward)
    size = sum(file.stat().st_size for file in store.directory.iterdir())
    assert size / BATCH / 2 < 20_000


def test_a_picture_takes_the_bytes_that_the_page_about_training_says(tmp_path):
    """All windows and the mirror image; with --scale 227."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    small = (np.zeros((1, 1, 1, 1), "f4"), np.zeros(1, "f4"))
    given = dict.fromkeys(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"), small)
    for layer, words in {
        "fc8": "fc8, {} KB; {} KB",
        "fc7": "fc7, {} KB; {} KB",
        "fc6": "pool5's maxima, {} KB; pool5, {} KB",
    }.items():
        sizes = []
        for scaled in (288, None):
            variant = replace(VARIANTS["bvlc"], scaled=scaled)
            config = (variant, "caffe", given, layer)
            store = FeatureStore.of_layer(tmp_path, *config, mirror=True)
            sizes.append(round(store.size(BATCH) / BATCH / 1000))
        assert words.format(*sizes) in page


def test_stored_pictures_are_not_decoded_again(open_store, pictures, photos, tmp_path, monkeypatch):
    open_store(worker=0).fill(pictures[:40], forward)
    open_store(worker=1).fill(pictures[40:-1], forward)
    seen = []

    @contextmanager
    def decoded(picture):
        seen.append(str(picture))
        yield picture

    monkeypatch.setattr(datasets, "decoded", decoded)
    again = open_dataset(photos, features=tmp_path)
    assert seen == [pictures[-1].path]
    assert {each.digest for each in again.labelled()} == {each.digest for each in pictures}


def test_a_complete_store_is_only_read(open_store, pictures):
    store = open_store()
    store.fill(pictures[:3], forward)
    for path in (store.directory, *store.directory.iterdir()):
        os.utime(path, (1, 1))
    again = open_store()
    assert again.missing(pictures[:3]) == []
    assert {path.stat().st_mtime for path in again.directory.iterdir()} == {1}
    assert again.directory.stat().st_mtime == 1


def test_a_store_that_lacks_something_and_may_not_be_written(open_store, pictures, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    store = open_store()
    monkeypatch.setattr(features, "locked", refuse)
    with pytest.raises(RunError, match=r"cannot be written to .*name another folder with --feat"):
        store.fill(pictures[:3], forward)
