"""What a run lives through: signals, full disks, a second process, damage, pictures that change."""

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256

import chaos
import numpy as np
import pytest

from alexnet_tf import cli, stopping
from alexnet_tf.checkpoints import BrokenCheckpoint, load_checkpoint, load_latest, save_checkpoint
from alexnet_tf.dataset import Dataset, Row, open_dataset, write_lists
from alexnet_tf.demo import write_random_convolutions
from alexnet_tf.drawings import draw_faces
from alexnet_tf.errors import UserError
from alexnet_tf.features import BATCH, FeatureStore
from alexnet_tf.files import replacing
from alexnet_tf.locks import locked
from alexnet_tf.room import NoRoom, shortages
from alexnet_tf.run import Run, Settings, prepare
from alexnet_tf.weights import read_weights

LOG = logging.getLogger("survival")


def test_a_run_ends_the_same_whatever_happened_to_it(tmp_path):
    """The short form of `make chaos`."""
    material = chaos.prepare(tmp_path / "material")
    expected = chaos.undisturbed(tmp_path / "undisturbed", material)
    faults = (
        chaos.signalled(signal.SIGKILL, chaos.EXTRACTING),
        chaos.signalled(signal.SIGTERM, chaos.EPOCH),
        chaos.signalled(signal.SIGKILL, chaos.CHECKPOINT),
        chaos.damaged("checkpoint truncated", chaos.truncate, "run/checkpoints/*.npz"),
        chaos.signalled(signal.SIGKILL, chaos.EXPORT),
        ("best checkpoint damaged", chaos.damage_best),
    )
    training = chaos.Training(tmp_path / "disturbed", material)
    _, lost = chaos.survive(training, faults, np.random.default_rng(0), expected)
    assert lost == []
    assert not list(training.folder.rglob("*.tmp*"))
    settings = Settings(str(material / "photos"), str(material / "random.npy"), chaos.VARIANT)
    files = [
        *(training.folder / "run/checkpoints").glob("*.npz"),
        training.folder / "run/model.keras",
    ]
    job = prepare(settings, tmp_path / "new")
    assert job.size() >= sum(file.stat().st_size for file in files) * 0.99


WORK = """
import time
from alexnet_tf import cli, stopping

def main():
    with stopping.postponed():
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
            {then}

cli.run(main, "work")
"""


def work(then, *before):
    """A process that is at its work, and says what it `then` does in each step."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", WORK.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_a_program_when_its_step_is_finished(number, code):
    process = work("stopping.check()")
    process.send_signal(number)
    assert process.communicate()[1] == f"work: stopped by {number.name}\n"
    assert process.returncode == code


def test_a_second_signal_ends_it_at_once():
    process = work("stopping._asked and print('asked', flush=True)")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == -signal.SIGTERM


def test_nohup_is_heeded():
    process = work("stopping.check()", "nohup")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert "stopped by SIGTERM" in process.communicate()[1]


def test_signals_stay_those_of_whoever_uses_the_library():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.postponed():
        stopping.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(stopping.Stopped), stopping.listening():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


def test_a_folder_is_for_one_process(tmp_path):
    hold = "from pathlib import Path; from alexnet_tf.locks import locked; import time\n"
    hold += f"with locked(Path({str(tmp_path)!r})): print('ready', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    with pytest.raises(UserError, match=f"process {holder.pid} is at work in it"), locked(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    for _ in range(2):
        with locked(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_second_training_is_told_of_the_first(command, tmp_path, faces, random_weights):
    with locked(tmp_path / "run"):
        result = command(
            "train_alexnet.py", "--data", faces, "--weights", random_weights, "--run", "run", code=2
        )
    assert f"run: process {os.getpid()} is at work in it" in result.stderr


def test_a_second_extraction_is_told_of_the_first(tmp_path, random_weights):
    store = FeatureStore(tmp_path, read_weights(random_weights), "bvlc", "short", True, "float32")
    with locked(store.directory), pytest.raises(UserError, match=f"process {os.getpid()} is at"):
        store.fill([], None)


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for 100 kB, and what gives it more."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(size):
        options = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder]
        return subprocess.run(options, capture_output=True).returncode == 0

    if not mount("size=100k"):
        pytest.skip("may not mount a disk")
    yield folder, lambda: mount("remount,size=100m")
    subprocess.run(["umount", "--lazy", folder], check=True)


def write_features(folder, weights):
    draw_faces(folder.parent / "faces", per_class=1)
    rows = [
        Row(str(path), 0, sha256(path.read_bytes()).hexdigest())
        for path in (folder.parent / "faces").iterdir()
    ]
    store = FeatureStore(folder, weights, "bvlc", "short", True, "float32")
    store.fill(rows, lambda inputs: np.zeros((BATCH, 6, 6, 256), np.float32))


def write_log(folder, weights):
    before = list(cli.LOG.handlers)
    log = cli.open_log(folder / "log")
    opened = [handler for handler in log.handlers if handler not in before]
    try:
        for _ in range(1000):
            log.warning("%0200d", 1)
    finally:
        for handler in opened:
            log.removeHandler(handler)
            with suppress(OSError):
                handler.close()


def write_curves(folder, weights):
    from alexnet_tf.history import TensorBoardLog

    row = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), 1.0)
    TensorBoardLog(Run(folder / "run"), [row | {"epoch": epoch} for epoch in range(500)])


def write_model(folder, weights):
    import keras

    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])
    with replacing(folder / "model.keras", 4 * model.count_params()) as temporary:
        model.save(temporary)


def write_split(folder, weights):
    write_lists(Dataset(("x" * 150_000, "y"), (), ()), folder)


def write_checkpoint(folder, weights):
    save_checkpoint(folder, {"kernel": np.ones(50_000, np.float32)}, [{"epoch": 1}])


@pytest.mark.parametrize(
    ("write", "needed"),
    [
        (write_features, "2.4 MB"),
        (write_log, "220 bytes"),
        (write_curves, "1,000 bytes"),
        (write_model, "0.4 MB"),
        (write_split, "0.2 MB"),
        (write_checkpoint, "0.2 MB"),
    ],
)
def test_a_full_disk_is_a_sentence_and_room_helps(small_disk, random_weights, write, needed):
    folder, make_room = small_disk
    weights = read_weights(random_weights)
    with pytest.raises(NoRoom, match=f"needs {needed} on the disk, where .* are free"):
        write(folder, weights)
    assert not list(folder.rglob("*.tmp*"))
    make_room()
    write(folder, weights)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"kernel": np.ones(5)}, [])

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoom, match=r"epoch-0000.npz: needs 40 bytes on the disk"):
        save_checkpoint(tmp_path, {"kernel": np.zeros(5)}, [])
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0000.npz"]
    assert load_latest(tmp_path, LOG)[0]["kernel"].sum() == 5


def test_too_little_room_is_said_before(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    assert shortages({tmp_path / "run": 0, tmp_path / "features": 0}) == []
    (sentence,) = shortages({tmp_path / "run": free, tmp_path / "features": 10**9})
    assert sentence.startswith("this run needs ") and " are free; it will stop when" in sentence
    assert f"{tmp_path}/run and {tmp_path}/features" in sentence


def test_a_broken_checkpoint_gives_way_to_the_one_before(tmp_path, caplog):
    random = np.random.default_rng(0)
    for epoch in range(4):
        save_checkpoint(tmp_path, {"kernel": np.full(1000, epoch)}, [{}] * epoch)
    save_checkpoint(tmp_path, {"kernel": np.full(1000, 3.5)}, [{}] * 3, unfinished=True)
    assert load_latest(tmp_path, LOG)[0]["kernel"][0] == 3.5
    chaos.flip_a_bit(tmp_path / "epoch-0003.unfinished.npz", random)
    chaos.truncate(tmp_path / "epoch-0003.npz", random)
    arrays, history = load_latest(tmp_path, LOG)
    assert arrays["kernel"][0] == 2 and len(history) == 2
    assert (tmp_path / "epoch-0003.npz.broken").exists()
    assert "epoch-0003.unfinished.npz: is broken" in caplog.text
    (tmp_path / "epoch-0001.npz").write_bytes(b"")
    assert load_latest(tmp_path, LOG, last=1)[0]["kernel"][0] == 0
    assert (tmp_path / "epoch-0002.npz").exists()


def test_no_bit_of_a_checkpoint_goes_wrong_unnoticed(tmp_path):
    arrays = {"kernel": np.arange(6.0), "bias": np.arange(2)}
    path = save_checkpoint(tmp_path, arrays, [{"epoch": 1}])
    whole, noticed = path.read_bytes(), 0
    for bit in np.random.default_rng(0).integers(8 * len(whole), size=500):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        try:
            read, history = load_checkpoint(path)
        except BrokenCheckpoint:
            noticed += 1
        else:  # it was the time of a member, or the like
            assert history == [{"epoch": 1}] and set(read) == set(arrays)
            assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert noticed > 250


def test_a_damaged_config_is_refused(tmp_path, faces, random_weights):
    run = Run(tmp_path)
    run.config.write_text(
        json.dumps({"settings": {"seed": 0}, "classes": ["a", "b"], "data": "", "weights": ""})
    )
    whole = run.config.read_bytes()
    assert run.read_config()["settings"]["epochs"] == 10
    random, refused = np.random.default_rng(0), 0
    for _ in range(300):
        broken = bytearray(whole)
        broken[random.integers(len(whole))] = random.integers(256)
        run.config.write_bytes(broken[: random.integers(len(whole))] if refused % 2 else broken)
        try:
            run.read_config()
        except UserError as error:
            refused += 1
            assert str(run.config) in str(error)
    assert refused > 100
    run.config.write_text('{"settings": {"seed": "0"}, "classes": [], "data": "", "weights": ""}')
    with pytest.raises(UserError, match="is damaged"):
        run.read_config()


@pytest.fixture
def changed(tmp_path, faces):
    """A job of 60 pictures of which one has vanished, one shrunk and one been replaced."""
    photos = shutil.copytree(faces, tmp_path / "photos")
    write_random_convolutions(tmp_path / "random.npy", "cifar64")

    def job(**settings):
        job = prepare(
            Settings(
                data=str(photos), weights=str(tmp_path / "random.npy"), variant="cifar64",
                features=str(tmp_path / "features"), **settings,
            ),
            tmp_path / "run",
        )  # fmt: skip
        (photos / "cat.1.jpg").unlink()
        os.truncate(photos / "cat.2.jpg", 500)
        shutil.copy(photos / "dog.1.jpg", photos / "dog.2.jpg")
        return job

    return job


def test_pictures_that_change_after_the_listing_are_left_out(changed, caplog):
    from alexnet_tf.train import _with_features

    job, store = _with_features(changed(), LOG)
    assert len(job.dataset.train) + len(job.dataset.validation) == 57
    assert store.slots([*job.dataset.train, *job.dataset.validation]).size == 57
    reasons = {os.path.basename(path): reason for path, reason in job.dataset.rejected}
    assert reasons == {
        "cat.1.jpg": "does not exist",
        "cat.2.jpg": "has changed since it was listed",
        "dog.2.jpg": "has changed since it was listed",
    }
    assert all(name in caplog.text for name in reasons)


def test_too_many_of_them_stop_the_run(changed):
    from alexnet_tf.train import _with_features

    with pytest.raises(UserError, match=r"3 of 60 pictures .* more than --max-lost 0\.04"):
        _with_features(changed(max_lost=0.04), LOG)


def test_a_copy_stands_in_for_a_picture_that_vanished(tmp_path, faces, random_weights):
    photos = shutil.copytree(faces, tmp_path / "photos")
    shutil.copy(photos / "cat.1.jpg", photos / "cat.77.jpg")
    dataset = open_dataset(photos)
    rows = [row for row in (*dataset.train, *dataset.validation) if "cat" in row.path]
    (photos / "cat.77.jpg").unlink()
    store = FeatureStore(tmp_path, read_weights(random_weights), "bvlc", "short", False, "float32")
    failed = store.fill(rows, lambda inputs: np.zeros((BATCH, 6, 6, 256), np.float32))
    assert failed == {str(photos / "cat.77.jpg"): "does not exist"}
    assert all(row in store for row in rows)
