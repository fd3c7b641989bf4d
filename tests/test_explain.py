"""`python -m alexnet_tf explain`: what a network looks at."""

import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.commands import explain
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.drawing.sheets import filters_mosaic, write_picture
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.explain import Explainer
from alexnet_tf.model import AlexNet
from alexnet_tf.variants import VARIANTS
from tests.support.runs import write_run
from tests.support.verbs import run_verb

LENET = VARIANTS["lenet5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A thin network of random weights, which knows cats and dogs."""
    return write_run(tmp_path_factory.mktemp("thin") / "run")


def explainer(model, variant=LENET, classes=("cat", "dog")):
    """Return an explainer of a Keras model."""
    weights = SimpleNamespace(layers={"conv1": model.get_layer("conv1").get_weights()})
    engine = SimpleNamespace(
        open_keras=lambda: model,
        variant=variant,
        network=variant,
        resize="squash",
        classes=classes,
        source="model.keras",
        weights=weights,
    )
    return Explainer(engine)


def test_a_picture_gets_its_answer_an_overlay_and_the_numbers(run, faces, tmp_path, capsys):
    cat = faces / "cat.0.jpg"

    assert run_verb(explain, cat, "--run", run.directory, "--out", tmp_path / "out") == 0

    file, label, probability = capsys.readouterr().out.splitlines()[0].split("\t")
    engine = Engine.of_run(run)
    (found,) = Explainer(engine).explain([str(cat)])
    (answer,) = Classifier([engine]).classify([str(cat)], top=1)
    assert (file, label, probability) == (str(cat), found.label, f"{found.probability:.4f}")
    assert dict(answer.top) == pytest.approx({label: found.probability}, abs=1e-4)
    (overlay,) = (tmp_path / "out").glob(f"cat.0-*-{label}.png")
    heat = np.load(overlay.with_suffix(".npy"))
    np.testing.assert_array_equal(heat, found.heat)
    assert heat.dtype == np.float32 and heat.min() >= 0 and heat.max() == 1
    assert Image.open(overlay).size == (64, 64)


def test_another_class_than_the_likeliest_can_be_asked_for(run, faces):
    looking = Explainer(Engine.of_run(run))
    (likeliest,) = looking.explain([str(faces / "cat.0.jpg")])
    other = {"cat": "dog", "dog": "cat"}[likeliest.label]

    (found,) = looking.explain([str(faces / "cat.0.jpg")], other)

    assert found.label == other
    assert found.probability == pytest.approx(1 - likeliest.probability, abs=1e-4)
    assert not np.array_equal(found.heat, likeliest.heat)


def test_a_class_may_be_one_of_imagenets_names_and_others_are_named():
    names = ("tabby, tabby cat", "tiger cat", "Samoyed, Samoyede")
    looking = explainer(AlexNet(LENET, 3, seed=0), classes=names)

    with pytest.raises(UserError, match=r"no class 'tabbi' in model\.keras, but tabby"):
        next(looking.explain(["a.jpg"], "tabbi"))
    (found,) = looking.explain(["missing.jpg"], "Samoyede")
    assert isinstance(found, ImageError)


def test_occlusion_finds_the_corner_that_the_answer_depends_on(faces):
    """fc6 reads the top left of pool5's 5 × 5 places, which sees 14 pixels."""
    model = AlexNet(LENET, 2, seed=0)
    fc6 = model.get_layer("fc6")
    kernel = fc6.kernel.numpy()
    kernel[16:] = 0
    fc6.kernel.assign(kernel)
    looking = explainer(model)
    (found,) = looking.explain([str(faces / "cat.0.jpg")])

    fall = looking.occlusion(found)

    assert fall.shape == found.heat.shape == (10, 10)
    assert np.abs(fall[:3, :3]).max() > 1e-3
    np.testing.assert_allclose(fall[6:], 0, atol=1e-5)
    np.testing.assert_allclose(fall[:, 6:], 0, atol=1e-5)


def test_where_the_variant_subtracts_no_colour_the_pictures_own_covers(tmp_path):
    """On a picture of one colour, which is not black, there is then nothing to be seen."""
    Image.new("RGB", (40, 40), (200, 120, 40)).save(tmp_path / "plain.png")
    looking = explainer(AlexNet(LENET, 2, seed=0))
    (found,) = looking.explain([str(tmp_path / "plain.png")])
    np.testing.assert_allclose(looking.occlusion(found), 0, atol=1e-5)


def test_the_strongest_channels_are_those_with_the_largest_means():
    model = AlexNet(LENET, 2, seed=0)
    kernel = np.zeros((5, 5, 3, 6), np.float32)
    kernel[2, 2, :, 4], kernel[2, 2, :, 1] = 0.9, 0.5
    model.get_layer("conv1").set_weights([kernel, np.full(6, 0.1, np.float32)])
    picture = np.full((32, 32, 3), 255, np.uint8)

    found = explainer(model).channels(picture, top=3)

    numbers, maps = found["conv1"]
    assert list(found) == ["conv1", "conv2"]
    assert numbers.tolist() == [4, 1, 0]
    np.testing.assert_allclose(maps[:, 5, 5], [2.8, 1.6, 0.1], rtol=1e-5)
    assert list(explainer(model).channels(picture, "conv2")) == ["conv2"]


def test_filters_have_the_colours_that_they_look_for():
    variant = replace(LENET, channels="BGR")
    model = AlexNet(variant, 2, seed=0)
    kernel = np.zeros((5, 5, 3, 6), np.float32)
    kernel[..., 0, 0], kernel[..., 2, 1] = 0.3, -4  # blue; anything but red
    model.get_layer("conv1").set_weights([kernel, np.zeros(6, np.float32)])

    filters = explainer(model, variant).filters()

    np.testing.assert_allclose(filters[0], np.broadcast_to([0.5, 0.5, 1], (5, 5, 3)))
    np.testing.assert_allclose(filters[1], np.broadcast_to([0, 0.5, 0.5], (5, 5, 3)))
    np.testing.assert_allclose(filters[2:], 0.5)


def test_the_mosaic_keeps_halves_apart():
    """Figure 3 of the paper: three lines of 16 for each half."""
    filters = np.zeros((96, 11, 11, 3), np.float32)
    filters[48:] = 0.5

    mosaic = np.asarray(filters_mosaic(filters, halves=2))

    lines, width, _ = mosaic.shape
    assert width == 5 * (16 * 12 - 1)
    assert mosaic[: 5 * 11, : 5 * 11].max() == 0
    assert mosaic[lines // 2].min() == 255  # paper
    assert mosaic[-1, 0].tolist() == [127] * 3


def test_convolutions_alone_have_filters_and_no_answers(random_weights, faces, tmp_path, capsys):
    network = ("--weights", random_weights, "--out", tmp_path / "out")

    assert run_verb(explain, "--filters", *network) == 0
    with pytest.raises(UserError, match="holds convolutions alone, which know no class; name a"):
        run_verb(explain, faces / "cat.0.jpg", *network)

    assert np.load(tmp_path / "out/filters.npy").shape == (96, 11, 11, 3)


def test_the_same_again_replaces_what_was_written_and_nothing_else(run, faces, tmp_path):
    words = (faces / "cat.0.jpg", "--run", run.directory, "--out", tmp_path)
    run_verb(explain, *words, "--layers", "--occlusion")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 5

    run_verb(explain, *words, "--layers", "--occlusion")

    assert sorted(path.name for path in tmp_path.iterdir()) == files
    (tmp_path / "filters.npy").write_text("mine")
    with pytest.raises(UserError, match=r"filters\.npy: is there already, and not from this pro"):
        run_verb(explain, "--filters", "--run", run.directory, "--out", tmp_path)
    assert (tmp_path / "filters.npy").read_text() == "mine"
    assert not (tmp_path / "filters.png").exists()


def test_a_picture_of_somebodys_own_is_not_replaced(tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")

    with pytest.raises(UserError, match=r"a\.png: is there already"):
        write_picture(tmp_path / "a.png", Image.new("RGB", (5, 5)))

    assert Image.open(tmp_path / "a.png").size == (3, 3)


def test_names_of_files_and_classes_are_data(faces, tmp_path, capsys):
    classes = ["<script>alert(1)</script>" + "x" * 4000, "a b; $(touch ran)"]
    run = write_run(tmp_path / "run", classes)
    names = ("<script>", "gnp.\u202egpj", "new\nline", "x" * 230, "..")
    for name in names:
        shutil.copy(faces / "cat.0.jpg", tmp_path / f"{name}.jpg")
    pictures = [tmp_path / f"{name}.jpg" for name in names]

    assert run_verb(explain, "--run", run.directory, "--out", tmp_path / "out", *pictures) == 0

    written = [path.name for path in (tmp_path / "out").iterdir()]
    assert len(written) == 2 * len(names)
    assert all(re.fullmatch(r"\w[\w.-]{1,100}", name, re.ASCII) for name in written)
    assert len(capsys.readouterr().out.splitlines()) == 2 * len(names)


def test_unreadable_pictures_are_named_and_the_others_explained(run, faces, tmp_path, capsys):
    cat = faces / "cat.0.jpg"
    words = ("--run", run.directory, "--out", tmp_path / "out")

    assert run_verb(explain, "gone.jpg", cat, *words) == 2

    captured = capsys.readouterr()
    assert captured.err == "alexnet_tf: left out: gone.jpg: does not exist\n"
    assert captured.out.startswith(str(cat))


def test_without_anything_to_do_it_says_what_there_is(run):
    with pytest.raises(UserError, match="name a picture to explain, or ask for --filters"):
        run_verb(explain, "--run", run.directory)
