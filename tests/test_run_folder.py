"""Which files of a folder a training touches, and which it leaves alone."""

import json
import shutil

import pytest

from alexnet_tf.data.features.batches import is_feature_store
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.training.job import write_config
from alexnet_tf.variants import VARIANTS
from tests.support.small import LENET, job


@pytest.fixture
def started(tmp_path, faces):
    """Start a run, as far as its config.json and lists."""
    asked = job(faces, tmp_path / "run", **LENET)
    write_config(asked, {})
    return asked.run.directory


def test_a_folder_of_ones_own_lists_is_no_run(typed, tmp_path, faces):
    shutil.copytree(faces, tmp_path / "photos")
    lines = "".join(f"photos/{name}.{n}.jpg {name}\n" for name in ("cat", "dog") for n in range(9))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/train.txt").write_text(lines)
    config = ["train_alexnet.py", "--data", "photos", "--weights", "none", "--train", "all"]
    error = typed(*config, "--run", "mine", code=2).stderr
    assert "mine: holds 'train.txt' but no config.json, so it is not a run; a training" in error
    error = typed(*config, "--run", "photos", code=2).stderr
    assert "photos: holds 'cat.0.jpg' but no config.json" in error
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["train.txt"]
    assert (tmp_path / "mine/train.txt").read_text() == lines


def test_somebody_elses_config_is_no_run(tmp_path, faces):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/config.json").write_text('{"name": "my-site", "port": 8080}')
    with pytest.raises(UserError, match=r"not the config.json of a run of alexnet_tf"):
        job(faces, tmp_path / "site", **LENET)


def test_a_file_is_no_folder(tmp_path, faces):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="run: is no folder"):
        job(faces, tmp_path / "run", **LENET)


def test_what_a_killed_start_left_is_ours(tmp_path, faces):
    for name in ("run/checkpoints", "run/.git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/.lock").write_text("123\n")
    (tmp_path / "run/.config.123.tmp.json").write_text("{")
    assert job(faces, tmp_path / "run", **LENET).relisted


def test_killed_before_the_lists_were_written_they_are_written_again(started, faces):
    for name in ("train.txt", "classes.txt", "pictures.sha256"):
        (started / name).unlink()
    again = job(faces, started, **LENET)
    assert again.relisted
    write_config(again, {})
    assert len((started / "train.txt").read_text().splitlines()) == 52
    assert not job(faces, started, **LENET).relisted


def test_leftovers_are_known_by_the_programs_own_names_at_their_own_places(started):
    ours = [".config.77.tmp.json", ".model.77.tmp.keras", "checkpoints/.epoch-0002.77.tmp.npz"]
    theirs = [".draft.tmp", ".syncthing.model.keras.tmp", "notes/.model.77.tmp.keras"]
    for name in (*ours, *theirs):
        (started / name).parent.mkdir(exist_ok=True)
        (started / name).write_text("")
    (started / ".history.77.tmp.csv").mkdir()
    Run(started).remove_leftovers()
    assert not any((started / name).exists() for name in ours)
    assert all((started / name).exists() for name in theirs)
    assert (started / ".history.77.tmp.csv").is_dir()


def test_nothing_in_a_run_is_written_through_a_link(started, faces, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (started / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="checkpoints: is a link, and no link in a run is written"):
        job(faces, started, **LENET)


def test_a_store_of_features_is_known_by_what_is_in_it(tmp_path):
    store = FeatureStore.of_pictures(tmp_path / "fast", VARIANTS["lenet5"], "short", 32).open()
    assert is_feature_store(store.directory) and is_feature_store(tmp_path / "fast")
    moved = store.directory.rename(tmp_path / "cats")
    assert is_feature_store(moved)
    (tmp_path / "fast/cat.1.jpg").write_text("")
    assert not is_feature_store(tmp_path / "fast")
    (moved / "recipe.json").write_text(json.dumps({"flour": 500, "eggs": 3}))
    assert not is_feature_store(moved)
    assert not is_feature_store(tmp_path / "nowhere")
