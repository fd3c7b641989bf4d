"""What a fresh clone knows, and how it was made."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.commands import make_starter
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet, read_layers
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.starter import FIGURES_PATH, WEIGHTS_PATH
from alexnet_tf.variants import STARTER
from alexnet_tf.weights.formats.npz import quantize, write_int8
from alexnet_tf.weights.loading import open_weights, read_weights


def test_the_file_is_small_and_an_ordinary_file_of_weights(typed):
    assert WEIGHTS_PATH.stat().st_size < 6e6
    layers = open_weights("starter", STARTER, classes=2)
    assert layers["fc8"][0].shape == (512, 2)
    lines = typed("alexnet_tf", "weights", "starter").stdout.splitlines()
    assert lines[0] == f"{WEIGHTS_PATH}: the starter, which knows cats and dogs"
    assert lines[1] == "conv1  7 × 7 × 3 × 48"


def test_a_folder_of_that_name_is_the_users(typed, tmp_path):
    (tmp_path / "starter").mkdir()
    error = typed("predict_alexnet.py", "2", "a.jpg", "--run", "starter", code=2).stderr
    assert "starter: holds no finished model" in error


def test_a_fresh_clone_answers_and_says_who_does(command, faces):
    # Drawings that it is sure of.
    pictures = [faces / f"{name}.jpg" for name in ("cat.1", "cat.25", "dog.4", "dog.19")]
    result = command("predict_alexnet.py", "2", *pictures)
    assert result.stdout.splitlines() == [f"{each}\t{each.name[:3]}" for each in pictures]
    assert result.stderr.count("there is no finished run, so the starter is used") == 1
    assert "`python train_alexnet.py --data PICTURES`" in result.stderr


def test_a_run_of_ones_own_comes_first(command, faces, trained_run, tmp_path):
    (tmp_path / "train_alexnet").symlink_to(trained_run)
    said = command("predict_alexnet.py", "2", faces / "cat.0.jpg").stderr
    assert re.fullmatch(
        r"predict_alexnet.py: using train_alexnet \(cat, dog; accuracy [01].\d{4} on 8 validation "
        r"pictures\)\n(.*chance\n)?",
        said,
    )


def test_an_int8_is_off_by_half_a_step_at_most():
    kernel = np.random.default_rng(0).normal(0, 0.1, (3, 3, 8, 16)).astype("f4")
    kernel[..., 3] = 0
    numbers, scale = quantize(kernel)
    assert numbers.dtype == np.int8 and scale.shape == (16,)
    assert (np.abs(numbers * scale - kernel) <= scale / 2 * (1 + 1e-5)).all()
    assert (np.abs(numbers).max(axis=(0, 1, 2)) == [127 if n != 3 else 0 for n in range(16)]).all()


def test_a_network_of_int8_answers_nearly_as_before(faces, tmp_path):
    model = AlexNet("starter", 2, seed=0)
    kernel = model.get_layer("fc8").kernel
    kernel.assign(20 * kernel)  # so that its answers differ
    write_int8(read_layers(model), tmp_path / "a.npz")
    small = AlexNet("starter", 2, weights=tmp_path / "a.npz")
    pictures = np.stack([load_image(path, STARTER) for path in sorted(faces.glob("*.0.jpg"))])
    before, after = (
        each.predict_on_batch(preprocess_input(pictures, STARTER)) for each in (model, small)
    )
    assert np.abs(before - 0.5).max() > 0.05
    np.testing.assert_allclose(after, before, atol=0.02)


@pytest.fixture
def photos(tmp_path, monkeypatch, faces):
    """Twenty small photos and ten originals of each class, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(make_starter, "SEEN_ORIGINALS", 6)
    for folder, numbers in (("small", range(20)), ("originals", range(20, 30))):
        (tmp_path / folder).mkdir()
        for number in numbers:
            for label in make_starter.CLASSES:
                shutil.copy(faces / f"{label}.{number}.jpg", folder)
    return Path("small"), Path("originals")


def test_the_split_is_the_same_every_time_and_shares_nothing(photos):
    held_out, seen, unseen = make_starter.split(*photos)
    assert (held_out, seen, unseen) == make_starter.split(*photos)
    assert [len(part) for part in (held_out, seen, unseen)] == [4, 36 + 12, 8]
    assert len({*held_out, *seen, *unseen}) == 60
    with pytest.raises(UserError, match=r"nowhere: has no cat\.N\.jpg"):
        make_starter.split(Path("nowhere"), photos[1])


def test_making_it_ends_with_weights_and_figures(photos, tmp_path, monkeypatch):
    """In another folder, and with a training that leaves its network as it began."""

    def train(options):
        assert options["recipe"] == "starter" and options["data"] == make_starter.LISTS
        shutil.copytree(STARTER_RUN.directory, make_starter.RUN.directory)
        AlexNet("starter", 2, weights="starter").save(make_starter.RUN.model_path)
        return 0

    (tmp_path / "made").mkdir()
    starter = Run(tmp_path / "made", "starter.npz")
    monkeypatch.setattr(make_starter, "train_apart", train)
    monkeypatch.setattr(make_starter, "STARTER_RUN", starter)
    monkeypatch.setattr(make_starter, "FIGURES_PATH", tmp_path / "made/figures.json")
    assert make_starter.make(*photos) == 0
    made = read_weights(starter.model_path)
    for name, (kernel, bias) in read_weights("starter").items():
        np.testing.assert_allclose(made[name][0], kernel, atol=1e-6)
        np.testing.assert_array_equal(made[name][1], bias)
    figures = json.loads((tmp_path / "made/figures.json").read_text())
    assert figures["validation"]["pictures"] == 4 and figures["originals"]["pictures"] == 8
    assert starter.read_config()["classes"] == ["cat", "dog"]


def test_the_recipe_is_what_it_was_trained_by():
    settings = STARTER_RUN.read_config()["settings"]
    assert {name: settings[name] for name in RECIPES["starter"]} == RECIPES["starter"]
    lines = (STARTER_RUN.directory / "history.csv").read_text().splitlines()
    assert len(lines) == 1 + RECIPES["starter"]["epochs"]


def test_nine_of_ten_photos_that_it_never_saw(material, typed, tmp_path):
    """The 200 originals that nothing was trained or chosen by."""
    data = material / "data"
    unseen = make_starter.split(data / "dogs-vs-cats-144", data / "dogs-vs-cats")[2]
    (tmp_path / "unseen.txt").write_text("".join(f"{path} {label}\n" for path, label in unseen))
    result = typed("alexnet_tf", "evaluate", "starter", "--data", "unseen.txt", "--json")
    answer = json.loads(result.stdout)
    assert answer["pictures"] == 200 and answer["accuracy"] >= 0.88
    figures = json.loads(FIGURES_PATH.read_text())["originals"]
    assert answer["accuracy"] == pytest.approx(figures["accuracy"], abs=0.011)  # a tie or two
