import json
import shutil

import numpy as np
import pytest

from alexnet_tf.data.imagenet import imagenet_classes
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.imagenet import (
    ImageNetEvaluation,
    evaluate_imagenet,
    imagenet_pictures,
    published_figure,
)
from alexnet_tf.reports.evaluation import imagenet_text
from alexnet_tf.variants import VARIANTS
from tests.support import reference
from tests.support.formats import (
    BVLC_CONV1,
    CAFFENET_CONV1,
    TORCHVISION_CONV1,
    TORCHVISION_KERNELS,
    signed,
    write_npy,
    write_npz,
)

WNIDS = [wnid for wnid, _ in imagenet_classes()]


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory):
    """All eight layers of cifar96, at random: the least of the variants."""
    weights = reference.random_weights(VARIANTS["cifar96"], classes=1000)
    path = tmp_path_factory.mktemp("weights") / "cifar96.npy"
    layers = {name: list(parts) for name, parts in weights.items()}
    np.save(path, np.array(layers, dtype=object))
    return path


@pytest.fixture
def by_class(faces, tmp_path):
    """A folder per WordNet id: two pictures of class 281 and one of class 151."""
    for name, wnid in (("cat.0", WNIDS[281]), ("cat.1", WNIDS[281]), ("dog.0", WNIDS[151])):
        folder = tmp_path / "val" / wnid
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(faces / f"{name}.jpg", folder)
    return tmp_path / "val"


@pytest.fixture
def flat(faces, tmp_path):
    """The validation set as it is published."""
    (tmp_path / "flat").mkdir()
    for number, name in enumerate(("cat.0", "cat.1", "dog.0"), 1):
        shutil.copy(faces / f"{name}.jpg", tmp_path / f"flat/ILSVRC2012_val_0000000{number}.JPEG")
    return tmp_path / "flat"


def test_the_folder_tells_the_class(by_class):
    pictures, labels = imagenet_pictures(by_class)
    assert [picture.rsplit("/", 1)[1] for picture in pictures] == [
        "dog.0.jpg",
        "cat.0.jpg",
        "cat.1.jpg",
    ]
    assert labels == [151, 281, 281]


@pytest.mark.parametrize("written", [str, WNIDS.__getitem__])
def test_a_list_tells_the_class(flat, tmp_path, written):
    """Labels are indices, as in Caffe's val.txt, or WordNet ids."""
    lines = [f"ILSVRC2012_val_0000000{n} {written(i)}" for n, i in ((1, 281), (2, 282), (3, 151))]
    (tmp_path / "val.txt").write_text("\n".join(line.replace(" ", ".JPEG ") for line in lines))
    assert imagenet_pictures(flat, tmp_path / "val.txt")[1] == [281, 282, 151]


def test_a_name_that_begins_with_its_class_tells_it(flat):
    for picture in flat.iterdir():
        picture.rename(flat / f"{WNIDS[7]}_{picture.name}")
    assert imagenet_pictures(flat)[1] == [7, 7, 7]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, r"val_00000001\.JPEG: lies in no folder named after.*give --labels FILE"),
        ("ILSVRC2012_val_00000001.JPEG 1\n", r"val\.txt: has no line for .*val_00000002\.JPEG"),
        ("ILSVRC2012_val_00000001.JPEG 1000\n", r"labels .*00001\.JPEG '1000'; it should be an"),
        ("490\n361\n", r"val\.txt, line 1: should be 'path label'"),
    ],
)
def test_what_tells_no_class_is_named(flat, tmp_path, lines, message):
    if lines:
        (tmp_path / "val.txt").write_text(lines)
    with pytest.raises(UserError, match=message):
        imagenet_pictures(flat, tmp_path / "val.txt" if lines else None)


class Oracle:
    """Puts class 7 first, then 8, 9, … for every file, but cannot read the one called broken."""

    def probabilities(self, files):
        probabilities = np.roll(np.arange(1000, 0, -1) / 500_500, 7)
        for file in files:
            yield ImageError(file, "is broken") if file == "broken" else probabilities[None]


def test_top_1_and_top_5_are_counted_and_the_unreadable_left_out():
    labels = [7, 8, 11, 12, 7, 6]
    result = evaluate_imagenet(Oracle(), ["a", "b", "c", "d", "broken", "e"], labels)
    assert (result.pictures, result.hits) == (5, {1: 1, 5: 3})
    assert [str(error) for error in result.failed] == ["broken: is broken"]


def test_nothing_but_unreadable_pictures_is_a_mistake():
    with pytest.raises(UserError, match="broken: is broken"):
        evaluate_imagenet(Oracle(), ["broken"], [1])


@pytest.fixture
def bvlc_conv1(tmp_path):
    """A file that is known as BVLC AlexNet by its first numbers, and has no more."""
    write_npy(tmp_path / "bvlc.npy", signed({}, BVLC_CONV1))
    return tmp_path / "bvlc.npy"


def test_the_table_has_the_published_numbers_of_these_weights_beside_ours(bvlc_conv1):
    figure = published_figure(bvlc_conv1)
    result = ImageNetEvaluation(50_000, {1: 28_550, 5: 40_100}, published=figure)
    lines = imagenet_text(result).splitlines()
    assert lines[1].split() == ["top-1", "57.1%", "56.7%", "–", "57.5%", "57.1%"]
    assert lines[2].split() == ["top-5", "80.2%", "79.8%", "–", "80.5%", "80.2%"]
    assert "published is BVLC AlexNet" in lines[3] and "--resize caffe" in lines[3]


def test_each_network_has_its_own_published_numbers(tmp_path):
    write_npy(tmp_path / "caffenet.npy", signed({}, CAFFENET_CONV1))
    figure = published_figure(tmp_path / "caffenet.npy")
    assert (figure.name, figure.accuracy) == ("CaffeNet", {1: 0.574, 5: 0.804})
    torchvision = {
        name: (np.zeros(shape, np.float32), np.zeros(shape[-1], np.float32))
        for name, shape in TORCHVISION_KERNELS.items()
    }
    torchvision["conv1"][0][0, [*TORCHVISION_CONV1], 0, 0] = [*TORCHVISION_CONV1.values()]
    write_npz(tmp_path / "torchvision.npz", torchvision)
    figure = published_figure(tmp_path / "torchvision.npz")
    assert figure.accuracy == {1: 0.56522, 5: 0.79066} and "--resize short" in figure.options


@pytest.fixture
def evaluate(typed, small_weights):
    """The verb, about pictures of ImageNet and the small weights."""
    weights = ("--weights", small_weights, "--variant", "cifar96")

    def run(pictures, *arguments, code=0):
        config = ("alexnet_tf", "evaluate", "--imagenet", pictures, *weights, *arguments)
        return typed(*config, code=code)

    return run


def test_evaluate_prints_how_it_looked_and_a_table(evaluate, by_class):
    result = evaluate(by_class)
    assert result.stdout.startswith("cifar96, --resize caffe, --crops 1\n") and result.stderr == ""
    assert result.stdout.endswith("on 3 pictures; nothing is published of these weights\n")


def test_evaluate_prints_json_and_names_what_it_left_out(evaluate, by_class):
    (by_class / WNIDS[0]).mkdir()
    (by_class / WNIDS[0] / "broken.jpg").write_bytes(b"x")
    result = evaluate(by_class, "--json", "--crops", 10, code=2)
    answer = json.loads(result.stdout)
    assert (answer["pictures"], answer["failed"]) == (3, 1)
    assert answer["top5"]["published"] is None and len(answer["top1"]["interval95"]) == 2
    assert "left out: " in result.stderr and "broken.jpg" in result.stderr


def test_evaluate_reads_real_photos(evaluate, material, tmp_path):
    for photo in (material / "data/imagenet-samples").glob("*.JPEG"):
        folder = tmp_path / "val" / photo.name.split("_")[0]
        folder.mkdir(parents=True)
        (folder / photo.name).symlink_to(photo)
    assert json.loads(evaluate("val", "--json").stdout)["pictures"] == 55
