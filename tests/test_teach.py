"""Training sessions of the page: who owns them, their limits, and how they end."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import socket
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import STARTER_RUN
from alexnet_tf.system import children

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from alexnet_tf.serving import application
from alexnet_tf.serving import training_sessions as sessions
from alexnet_tf.serving.application import Served, make_app
from alexnet_tf.serving.networks import ServedNetwork
from alexnet_tf.serving.trainer_process import TrainerProcess
from tests.support.processes import running, wait_until
from tests.support.runs import write_run
from tests.support.serving import Server, form, serving, teachers

# Trains at once, by a copy of a finished run; while there is a file `wait` it does not, and what is
# in a file `answer` it says instead.
CHILD = """
import json, shutil, sys, time
from pathlib import Path
root, run = map(Path, sys.argv[1:])
for line in sys.stdin:
    told = json.loads(line)
    if told["order"] == "train":
        while (root / "wait").exists():
            time.sleep(0.02)
        shutil.copytree(run, Path(told["folder"]) / told["run"])
    answer = root / "answer"
    print(answer.read_text() if answer.exists() else '{"error": ""}', flush=True)
"""


@pytest.fixture
def root(tmp_path) -> Path:
    """Make the folder that lessons are kept in."""
    (tmp_path / "lessons").mkdir()
    return tmp_path / "lessons"


@pytest.fixture
def client(root, request):
    """Returns a client of a server whose process that trains is `CHILD`, with `trained_run` where
    the test has that, and with an empty folder elsewhere."""
    (run := root.parent / "empty").mkdir()
    if "trained_run" in request.fixturenames:
        run = request.getfixturevalue("trained_run")
    command = {"args": [sys.executable, "-c", CHILD, str(root), str(run)], "env": os.environ}
    trainer_process = TrainerProcess(command, root, silence=2)
    served = Served(
        [ServedNetwork("starter", Engine.of_run(STARTER_RUN))], trainer_process=trainer_process
    )
    with TestClient(make_app(served), raise_server_exceptions=False) as client:
        yield Server(None, client)


def state(server, session: str) -> str:
    return server.get(f"/v1/lessons/{session}").json()["state"]


@pytest.fixture
def photos(faces) -> list[list[Path]]:
    return [[faces / f"{name}.{n}.jpg" for n in range(4)] for name in ("cat", "dog")]


@pytest.fixture
def server(tmp_path):
    """Start a server of the starter, whose temporary folder is `tmp_path`."""
    with serving(tmp_path, "starter", TMPDIR=str(tmp_path)) as server:
        yield server


def begin_to_train(server, tmp_path, photos) -> str:
    """Begin a lesson and its training; return its name when epochs are trained."""
    session = server.begin_lesson(*photos)
    server.train(session, "cat", "dog")
    wait_until(lambda: [*tmp_path.glob("*/*/run-1/config.json")])
    return session


def test_what_is_forgotten_while_it_is_learned_stays_so(server, tmp_path, photos):
    session = begin_to_train(server, tmp_path, photos)
    (before,) = teachers(tmp_path)
    assert server.delete(f"/v1/lessons/{session}").status_code == 204
    assert before not in teachers(tmp_path)
    time.sleep(3)
    assert not [*tmp_path.glob("*/*/*")]
    # Another lesson is taught by another process.
    other = server.begin_lesson(*photos)
    server.train(other, "cat", "dog")
    wait_until(lambda: state(server, other) != "training")
    assert state(server, other) == "ready"


def test_asked_to_end_it_begins_no_other_training(server, tmp_path, photos):
    begin_to_train(server, tmp_path, photos)
    for _ in range(4):
        server.train(server.begin_lesson(*photos), "cat", "dog")  # when its turn comes
    seen = teachers(tmp_path)
    server.stop()

    def is_over() -> bool:
        seen.update(teachers(tmp_path))
        return server.process.poll() is not None

    wait_until(is_over)
    assert len(seen) == 1 and not teachers(tmp_path)
    assert not [*tmp_path.glob("alexnet_tf-lessons-*")]


def test_a_server_that_is_killed_leaves_neither_a_training_nor_photos(server, tmp_path, photos):
    begin_to_train(server, tmp_path, photos)
    assert [*tmp_path.glob("*/*/photos/*.jpg")]
    server.stop(signal.SIGKILL)
    wait_until(lambda: not teachers(tmp_path))
    assert not [*tmp_path.glob("*/*/photos/*")]


def test_what_was_left_is_deleted_at_the_next_start_and_what_is_in_use_is_not(tmp_path):
    opening = (
        "import time; from alexnet_tf.serving.trainer_process import sessions_folder as f\n"
        "with f() as folder: print(folder, flush=True); time.sleep(300)"
    )

    def start():
        command = children.python("-c", opening)
        command["env"] |= {"TMPDIR": str(tmp_path)}
        return running(command.pop("args"), **command)

    foreign = tmp_path / "alexnet_tf-lessons-notes"
    foreign.mkdir()
    with start() as dead, start() as alive, start() as third:
        left, used = (Path(each.stdout.readline().strip()) for each in (dead, alive))
        for folder in (left, used):
            (folder / "photo.jpg").write_text("a photo")
        assert third.stdout.readline()
        assert left.exists() and used.exists()
        dead.kill()
        dead.wait()
        with start() as fourth:
            assert fourth.stdout.readline()
            assert not left.exists()
            assert (used / "photo.jpg").exists() and foreign.exists()


def test_a_process_that_hangs_is_ended_and_others_are_taught(client, root, photos, trained_run):
    hanging, other = client.begin_lesson(*photos), client.begin_lesson(*photos)
    (root / "wait").touch()
    client.train(hanging, "cat", "dog")
    client.train(other, "cat", "dog")
    wait_until(lambda: state(client, hanging) == "failed")
    (root / "wait").unlink()
    said = client.get(f"/v1/lessons/{hanging}").json()["error"]
    assert (
        said == "the process that trains had nothing to say for 2 seconds, and was ended; try again"
    )
    wait_until(lambda: state(client, other) == "ready")
    client.train(hanging, "cat", "dog")
    wait_until(lambda: state(client, hanging) == "ready")


@pytest.mark.parametrize("answer", ['{"error": 5}', "[]", "no JSON", '{"error": "x"}'])
def test_whatever_goes_wrong_in_a_training_ends_it(client, root, photos, answer):
    session = client.begin_lesson(*photos)
    (root / "answer").write_text(answer)
    client.train(session, "cat", "dog")
    wait_until(lambda: state(client, session) == "failed")
    assert client.get(f"/v1/lessons/{session}").json()["error"]


def an_hour_later(monkeypatch):
    """Let lessons take it for an hour later, and go on from there."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sessions.UNUSED + 1)
    monkeypatch.setattr(sessions, "time", clock)


def test_the_ninth_lesson_is_refused_until_one_is_not_used(client, photos, monkeypatch):
    names = [client.begin_lesson(photos[0]) for _ in range(8)]
    refused = client.post("/v1/lessons")
    assert refused.status_code == 409
    assert "8 lessons are in use" in refused.json()["detail"]
    assert "not used for 60 minutes" in refused.json()["detail"]
    assert state(client, names[0]) == "collecting"
    an_hour_later(monkeypatch)
    assert state(client, names[0]) == "collecting"  # which is a use
    assert client.post("/v1/lessons").status_code == 201
    gone = client.get(f"/v1/lessons/{names[1]}")
    assert gone.status_code == 404 and "no such lesson any more" in gone.json()["detail"]
    assert state(client, names[0]) == "collecting"


def test_what_nobody_uses_is_deleted_though_nobody_comes(root, photos, monkeypatch, request):
    monkeypatch.setattr(sessions, "EVERY", 0.1)
    client = request.getfixturevalue("client")
    client.begin_lesson(*photos)
    assert [*root.glob("*/photos/*.jpg")]
    an_hour_later(monkeypatch)
    wait_until(lambda: not [*root.glob("*/photos/*.jpg")])


def test_the_pictures_before_a_limit_are_kept_and_the_others_named(
    client, root, photos, monkeypatch
):
    monkeypatch.setattr(sessions, "MOST_PICTURES", 3)
    session = client.post("/v1/lessons").json()["name"]
    said = client.post(f"/v1/lessons/{session}/pictures?label=0", files=form(photos[0]))
    kept = said.json()["pictures"]
    assert [each["number"] for each in kept] == [1, 2, 3, None]
    assert kept[3]["error"] == "that is enough: 3 pictures; train with these"
    assert len([*root.glob("*/photos/*.jpg")]) == 3


def test_a_full_disk_is_said_of_each_picture(client, photos, monkeypatch):
    write, session = Path.write_bytes, client.post("/v1/lessons").json()["name"]

    def write_bytes(path, content):
        if path.name == "2.jpg":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    said = client.post(f"/v1/lessons/{session}/pictures?label=0", files=form(photos[0]))
    assert [each["error"] for each in said.json()["pictures"]] == [
        None, "there is no room on the server's disk", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["train", "pictures?label=0"])
def test_a_lesson_that_is_forgotten_in_the_middle_of_a_request_is_no_more(server, what):
    session = server.post("/v1/lessons").json()["name"]
    address = server.client.base_url
    body = b'{"classes": ["a", "b"], "pictures": ["R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALA=="]}'
    with socket.create_connection((address.host, address.port)) as slow:
        slow.sendall(
            f"POST /v1/lessons/{session}/{what} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        slow.sendall(body[:20])
        time.sleep(1)  # and now it waits for the rest
        assert server.delete(f"/v1/lessons/{session}").status_code == 204
        slow.sendall(body[20:])
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 404 ") and b"no such lesson any more" in answer


@pytest.mark.parametrize(
    "other", ["cat ", " cat", "ca\u0301t", "c\u00e1t", "\u2003cat", "cat\u00a0"]
)
def test_names_that_look_alike_are_one(client, root, photos, trained_run, other):
    session = client.begin_lesson(*photos)
    name = "c\u00e1t" if "\u0301" in other or "\u00e1" in other else "cat"
    same = {"classes": [name, other]}
    said = client.post(f"/v1/lessons/{session}/train", json=same)
    assert said.status_code == 422 and "each another" in said.json()["detail"]
    client.train(session, other, "a \u2003 dog")
    assert client.get(f"/v1/lessons/{session}").json()["classes"] == [name, "a dog"]
    table = next(root.glob("*/photos.csv")).read_text("utf-8")
    assert table.count(f",{name}\n") == 4 and table.count(",a dog\n") == 4


@pytest.mark.parametrize(
    "names, words",
    [
        (["1", "01"], "each another"),
        (["1", "1.0"], "each another"),
        (["nan", "a"], "'nan' says"),
        (["cat", "cat\u200b"], "1 to 60 characters"),
    ],
)
def test_a_name_that_a_table_would_read_as_another_is_refused(client, photos, names, words):
    session = client.begin_lesson(*photos)
    said = client.post(f"/v1/lessons/{session}/train", json={"classes": names})
    assert (said.status_code, words in said.json()["detail"]) == (422, True)


def test_a_run_is_downloaded_whole_by_everybody_at_once(client, root, photos, trained_run):
    session = client.begin_lesson(*photos)
    address = f"/v1/lessons/{session}/run.zip"
    assert client.get(address).status_code == 409
    client.train(session, "cat", "dog")
    wait_until(lambda: state(client, session) == "ready")
    contents: list[bytes] = []
    asking = [
        threading.Thread(target=lambda: contents.append(client.get(address).content))
        for _ in range(6)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len(contents) == 6 and len({*contents}) == 1
    model = (trained_run / "model.keras").read_bytes()
    with zipfile.ZipFile(io.BytesIO(contents[0])) as archive:
        assert archive.read("run/model.keras") == model
    (root / "wait").touch()
    client.train(session, "cat", "dog")
    assert client.get(address).content == contents[0]  # of the last that has ended


def test_a_map_is_of_the_network_that_answered_or_of_none(client, root, photos, trained_run):
    session = client.begin_lesson(*photos)
    picture = photos[0][0]

    def train_and_ask() -> str:
        client.train(session, "cat", "dog")
        wait_until(lambda: state(client, session) == "ready")
        return client.predict(picture, network=session).json()["network"]

    first, second = train_and_ask(), train_and_ask()

    def look(network):
        address = f"/v1/explain?network={network}"
        return client.post(address, files=form([picture]))

    assert look(first).status_code == 409
    assert "another network by now" in look(first).json()["detail"]
    assert look(second).status_code == look(session).status_code == 200


@pytest.mark.parametrize("what", ["predict", "explain"])
def test_a_lesson_that_is_forgotten_while_it_is_asked_is_no_more(
    client, photos, tmp_path, monkeypatch, what
):
    run = write_run(tmp_path / "thin").directory
    shutil.copytree(run, tmp_path / "empty", dirs_exist_ok=True)
    session = client.begin_lesson(*photos)
    client.train(session, "cat", "dog")
    wait_until(lambda: state(client, session) == "ready")
    read = application.pictures_of

    async def forgetting(*request):
        pictures = await read(*request)
        await asyncio.to_thread(client.delete, f"/v1/lessons/{session}")
        return pictures

    monkeypatch.setattr(application, "pictures_of", forgetting)
    said = client.post(f"/v1/{what}?network={session}", files=form(photos[0][:1]))
    assert (said.status_code, "no network of that name" in said.text) == (404, True), said.text
