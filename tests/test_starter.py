"""The network that a fresh clone comes with, and how it was trained."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet, read_layers
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.starter import FIGURES_PATH, FIRST_WEIGHTS_PATH, WEIGHTS_PATH
from alexnet_tf.training.job import prepare, write_config
from alexnet_tf.variants import DISTILLED, STARTER
from alexnet_tf.weights.formats.npz import quantize, write_int8
from alexnet_tf.weights.loading import open_weights, read_weights
from make_starter import make


def test_the_file_is_small_and_an_ordinary_file_of_weights(typed):
    assert WEIGHTS_PATH.stat().st_size < 8e6
    layers = open_weights("starter", DISTILLED, classes=2)
    assert layers["fc8"][0].shape == (512, 2)
    lines = typed("alexnet_tf", "weights", "starter").stdout.splitlines()
    assert lines[0] == f"{WEIGHTS_PATH}: the starter, which knows cats and dogs"
    assert lines[1] == "conv1  9 × 9 × 3 × 64"


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
def pictures(tmp_path, faces):
    """Folders as make_starter wants them, of drawn faces."""
    numbers = {"dogs-vs-cats": range(8), "dogs-vs-cats-144": range(8, 16)}
    numbers["dogs-vs-cats-256"] = range(12, 20)
    for name, chosen in numbers.items():
        (tmp_path / name).mkdir()
        for number in chosen:
            for label in make.PETS:
                shutil.copy(faces / f"{label}.{number}.jpg", tmp_path / name)
    for name in ("flowers", "cifar10/train", "cifar10/test"):
        for label in ("one", "two"):
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(4):
                shutil.copy(faces / f"cat.{number}.jpg", tmp_path / name / label)
    (tmp_path / "imagenet-samples").mkdir()
    for number in range(20, 27):
        shutil.copy(faces / f"dog.{number}.jpg", tmp_path / "imagenet-samples")
    return tmp_path


def test_nothing_to_measure_with_is_learned_from(pictures, monkeypatch):
    for name, value in (("SEEN_ORIGINALS", 6), ("SEEN_FLOWERS", 3), ("HELD_OUT", range(14, 18))):
        monkeypatch.setattr(make, name, value)
    found = make.find_pictures(pictures)
    assert found == make.find_pictures(pictures)
    learned = [path for _, source in found.sources.values() for path, _ in source]
    counts = [len(source) for _, source in found.sources.values()]
    assert counts == [2 * 6, 2 * 4, 2 * 6, 2 * 4, 2 * 3]
    kept = [path for path, _ in (*found.held_out, *found.unseen, *found.flowers, *found.cifar)]
    assert len(kept) == 2 * 4 + 2 * 2 + 2 * 1 + 2 * 4 and not {*learned} & {*kept}
    # A small photo is another size of the large one of its number.
    pets = [path.name for path in learned if "dogs-vs-cats-" in str(path)]
    assert not {*pets} & {path.name for path, _ in found.held_out}
    assert len(found.neighbors) == 7
    with pytest.raises(UserError, match=r"nowhere/dogs-vs-cats: has no cat\.N\.jpg"):
        make.find_pictures(Path("nowhere"))


def test_what_is_finished_is_published_as_int8(tmp_path, monkeypatch):
    (tmp_path / "made").mkdir()
    monkeypatch.setattr(make, "STARTER_RUN", Run(tmp_path / "made", "starter.npz"))
    run = Run(tmp_path / "run")
    shutil.copytree(STARTER_RUN.directory, run.directory)
    AlexNet(DISTILLED, 2, weights="starter").save(run.model_path)
    make.publish(run)
    made = read_weights(tmp_path / "made/starter.npz")
    for name, (kernel, bias) in read_weights("starter").items():
        np.testing.assert_allclose(made[name][0], kernel, atol=1e-6)
        np.testing.assert_array_equal(made[name][1], bias)
    assert Run(tmp_path / "made").read_config()["classes"] == ["cat", "dog"]


def test_runs_that_began_with_the_first_starter_go_on(faces, tmp_path):
    configured = {"data": str(faces), "weights": "starter", "variant": "starter", "report": False}
    before = prepare(Settings(**RECIPES["head"] | configured), tmp_path / "run", {*configured})
    first = read_weights(FIRST_WEIGHTS_PATH)
    np.testing.assert_array_equal(before.weights["conv1"][0], first["conv1"][0])
    write_config(before, {})
    # Typed again, without the variant.
    configured = {"data": str(faces), "weights": "starter"}
    after = prepare(Settings(**RECIPES["head"] | configured), tmp_path / "run", {*configured})
    assert after.settings.variant == "starter" and after.config
    np.testing.assert_array_equal(after.weights["conv5"][0], first["conv5"][0])


def test_neighbors_of_the_same_network_agree(pictures):
    photos = make.find_pictures(pictures).neighbors
    assert make.agreement(photos, ("starter", "distilled"), ("starter", "distilled")) == 1
    found = make.agreement(photos, ("starter", "distilled"), (FIRST_WEIGHTS_PATH, "starter"))
    assert 0 <= found <= 1


def test_more_than_nine_of_ten_photos_that_it_never_saw(material, typed, tmp_path):
    """The 200 originals that nothing was trained or chosen by."""
    unseen = make.find_pictures(material / "data").unseen
    (tmp_path / "unseen.txt").write_text("".join(f"{path} {label}\n" for path, label in unseen))
    result = typed("alexnet_tf", "evaluate", "starter", "--data", "unseen.txt", "--json")
    answer = json.loads(result.stdout)
    assert answer["pictures"] == 200 and answer["accuracy"] >= 0.92
    figures = json.loads(FIGURES_PATH.read_text())["originals"]
    assert answer["accuracy"] == pytest.approx(figures["accuracy"], abs=0.011)  # a tie or two
