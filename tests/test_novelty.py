"""A picture that is unlike everything that a run was trained on, wherever it is predicted."""

import csv
import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import shrunk_covariance

import alexnet_tf
from alexnet_tf.commands import predict
from alexnet_tf.errors import UserError
from alexnet_tf.inference import engine as engines
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.novelty import LEAST_DEVIATION, SHARES, SHRINKAGE, TOTAL, Novelty
from alexnet_tf.runs.model_metadata import NOVELTY
from alexnet_tf.runs.run import Run
from tests.support.serving import form
from tests.support.verbs import run_verb

CLASSES, CHANNELS = 3, 8


@pytest.fixture
def place(trained_run, tmp_path, monkeypatch):
    """Go to a folder with four faces that the run was trained on, and with noise, in ``photos``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("cat.0", "cat.1", "dog.0", "dog.1"):
        shutil.copy(trained_run.parent / f"photos/{name}.jpg", "photos")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save("photos/noise.png")
    return tmp_path


def statistics(count, seed):
    """Statistics of as many pictures of each class, float32 (n, 2 × channels), and their labels."""
    random = np.random.default_rng(seed)
    means = np.random.default_rng(0).uniform(1, 3, (CLASSES, 2 * CHANNELS))
    labels = np.repeat(np.arange(CLASSES), count)
    return np.exp(random.normal(means[labels], 0.3)).astype(np.float32), labels


def test_two_of_a_hundred_unseen_pictures_are_flagged_and_all_strange_ones():
    novelty, own = Novelty.fit(*statistics(200, seed=1))
    known, _ = statistics(5000, seed=2)
    assert 0.01 < (novelty.of(known) > 1).mean() < 0.03
    assert (novelty.of(known[:, ::-1]) > 1).mean() > 0.9
    assert (novelty.of(known / 100) > 1).all()
    # Those that it was fitted to are as novel as others, because each is measured without itself.
    assert (own > 1).mean() == pytest.approx(0.02, abs=0.002)
    assert np.median(own) == pytest.approx(np.median(novelty.of(known)), rel=0.02)


def test_few_pictures_flag_no_more_of_the_unseen():
    flagged = [
        (Novelty.fit(*statistics(5, seed))[0].of(statistics(500, seed=0)[0]) > 1).mean()
        for seed in range(1, 11)
    ]
    assert np.mean(flagged) < 0.1
    assert Novelty.fit(*statistics(3, seed=1))[0] is None
    found, _ = statistics(4, seed=1)
    alone, _ = Novelty.fit(found, np.arange(len(found)))  # each picture is a class of its own
    assert np.isfinite(alone.of(found)).all() and (alone.of(found / 100) > 1).all()


def test_it_is_a_mahalanobis_distance_to_the_nearest_class():
    found, labels = statistics(200, seed=1)
    novelty, _ = Novelty.fit(found, labels)
    asked = statistics(1, seed=3)[0]
    values, strange = (
        np.log1p(each / np.repeat(novelty.scales, CHANNELS)) for each in (found, asked)
    )
    assert novelty.scales == pytest.approx(found.reshape(600, 2, -1).mean(axis=(0, 2)) * SHARES)
    means = np.stack([values[labels == label].mean(axis=0) for label in range(CLASSES)])
    rest = values - means[labels]
    expected = np.zeros((len(asked), CLASSES))
    for half in (slice(0, CHANNELS), slice(CHANNELS, None)):
        scale = rest[:, half].std(axis=0)
        scale += LEAST_DEVIATION * scale.mean()
        within = np.cov(rest[:, half] / scale, rowvar=False, bias=True)
        inverse = np.linalg.inv(shrunk_covariance(within, SHRINKAGE))
        expected += [
            [mahalanobis(row[half] / scale, mean[half] / scale, inverse) ** 2 for mean in means]
            for row in strange
        ]
    logs = [np.log(each[:, CHANNELS:].mean(axis=1)) for each in (found, asked)]
    total = TOTAL * (logs[1] - logs[0].mean()) / logs[0].std()
    distances = np.sqrt(expected.min(axis=1) + total**2)
    threshold = distances / novelty.of(asked)
    assert threshold == pytest.approx(threshold[0], rel=1e-4)


def test_the_command_says_so_in_words_in_json_and_in_a_table(place, trained_run, capsys):
    run_verb(predict, "2", "photos", "--run", trained_run)
    said = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert said.pop("photos/noise.png").endswith("\t(unlike anything it was taught)")
    assert {*said.values()} <= {"cat", "dog"}

    run_verb(predict, "2", "photos", "--run", trained_run, "--json")
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    novelty = {line["file"]: line["novelty"] for line in lines}
    assert {name for name in novelty if novelty[name] > 1} == {"photos/noise.png"}

    run_verb(predict, "2", "photos", "--run", trained_run, "--out", "all.csv")
    with open("all.csv", newline="") as file:
        table = {row["file"]: float(row["novelty"]) for row in csv.DictReader(file)}
    assert table == pytest.approx(novelty, rel=1e-4)


def test_such_pictures_are_sorted_into_a_folder_of_their_own(place, trained_run):
    words = ("2", "photos", "--run", trained_run, "--sort-into", "sorted")
    run_verb(predict, *words)
    assert [path.name for path in place.glob("sorted/unknown/*")] == ["noise.png"]
    assert len([*place.glob("sorted/*/*.jpg")]) == 4
    assert not [*place.glob("sorted/unknown/*.jpg")]


def test_an_interrupted_sorting_goes_on_with_what_the_table_says(place, trained_run):
    words = ("2", "photos", "--run", trained_run, "--out", "all.csv")
    run_verb(predict, *words)
    run_verb(predict, *words, "--sort-into", "sorted")
    assert [path.name for path in place.glob("sorted/unknown/*")] == ["noise.png"]


def test_a_program_is_told(place, trained_run):
    run = alexnet_tf.load_run(trained_run)
    known, strange = run.predict(["photos/cat.0.jpg", "photos/noise.png"])
    assert not known.is_unknown and known.novelty < 1
    assert strange.is_unknown and strange.novelty > 1
    assert f"novelty={strange.novelty:.2f}" in repr(strange)
    assert "unlike anything it was taught" in strange._repr_html_()


def test_the_page_is_told(place, trained_run):
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from alexnet_tf.serving.application import Served, make_app
    from alexnet_tf.serving.networks import ServedNetwork

    network = ServedNetwork("faces", Engine.of_run(Run(trained_run)))
    with TestClient(make_app(Served(networks=[network]))) as client:
        files = form([place / "photos/cat.0.jpg", place / "photos/noise.png"])
        known, strange = client.post("/v1/predict", files=files).json()["predictions"]
    assert known["novelty"] < 1 < strange["novelty"]


def test_one_picture_and_a_folder_of_them_agree(each_engine, engine_run, monkeypatch):
    """LiteRT for one picture and the engine for thousands agree."""
    photos = [str(path) for path in sorted((engine_run.parent / "photos").iterdir())][:16]
    alone = alexnet_tf.load_run(engine_run)
    one_by_one = [alone.predict(photo).novelty for photo in photos]
    for limit in ("MOST_FOR_LITE", "MOST_AS_IT_IS"):
        monkeypatch.setattr(engines, limit, 0)
    together = [each.novelty for each in alexnet_tf.load_run(engine_run).predict(photos)]
    assert together == pytest.approx(one_by_one, rel=0.05)


def test_a_run_without_it_predicts_as_before(place, trained_run, capsys):
    """As runs of earlier versions do."""
    old = shutil.copytree(trained_run, place / "old")
    (old / "model.tflite").unlink()
    with (
        zipfile.ZipFile(trained_run / "model.keras") as before,
        zipfile.ZipFile(old / "model.keras", "w") as after,
    ):
        assert NOVELTY in before.namelist()
        for name in before.namelist():
            if name != NOVELTY:
                after.writestr(name, before.read(name))
    found = {}
    for run in (trained_run, old):
        run_verb(predict, "2", "photos", "--run", run, "--json")
        found[run] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all("novelty" not in line for line in found[old])
    for now, before in zip(found[trained_run], found[old]):
        assert now["probability"] == pytest.approx(before["probability"], abs=1e-5)


def test_a_damaged_one_is_named(place, trained_run):
    broken = shutil.copytree(trained_run, place / "broken")
    with zipfile.ZipFile(trained_run / "model.keras") as before:
        members = {name: before.read(name) for name in before.namelist()}
    for content in (members[NOVELTY][:-4], members[NOVELTY][:100], b"\xff" * len(members[NOVELTY])):
        with zipfile.ZipFile(broken / "model.keras", "w") as after:
            for name in members:
                after.writestr(name, content if name == NOVELTY else members[name])
        with pytest.raises(UserError, match=NOVELTY):
            Engine.of_run(Run(broken))
