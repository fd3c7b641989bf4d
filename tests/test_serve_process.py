"""The server as a process: how it begins, ends, and lives through those who mean it ill."""

from __future__ import annotations

import io
import signal
import socket
import threading
import time
import zipfile

import pytest

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import Run

pytest.importorskip("fastapi")
import uvicorn

from alexnet_tf.serving import timeouts as protocol
from tests.support.pictures import answer_of
from tests.support.processes import wait_until
from tests.support.serving import form, serving


@pytest.fixture(scope="module")
def server(trained_run, tmp_path_factory):
    """A server of the trained run, which teaches with the starter's convolutions."""
    with serving(tmp_path_factory.mktemp("served"), trained_run) as server:
        yield server


def test_it_answers_to_its_own_name_alone(server, trained_run, faces):
    pictures = [faces / "cat.0.jpg", faces / "dog.0.jpg"]
    said = server.predict(*pictures).json()
    labels = [answer["label"] for answer in said["predictions"]]
    assert said["network"] == "run"
    assert labels == [answer_of(trained_run, picture) for picture in pictures]
    refused = server.get("/v1/networks", headers={"host": "rebound.example"})
    assert refused.status_code == 421


def test_faces_are_taught_tried_taken_along_and_forgotten(server, tmp_path):
    draw_faces(tmp_path / "faces", per_class=14)
    session = server.post("/v1/lessons").json()["name"]
    for label, name in enumerate(("cat", "dog")):
        paths = [tmp_path / f"faces/{name}.{n}.jpg" for n in range(12)]
        kept = server.post(f"/v1/lessons/{session}/pictures?label={label}", files=form(paths))
        assert [each["error"] for each in kept.json()["pictures"]] == [None] * 12
    too_few = server.post(f"/v1/lessons/{session}/train", json={"classes": ["cat", "dog", "owl"]})
    assert too_few.status_code == 422 and "'owl' has fewer than 2 pictures" in too_few.text
    names = ["<b>cat</b>, a", "狗"]
    assert server.post(f"/v1/lessons/{session}/train", json={"classes": names}).status_code == 202
    said = wait_for_end(server, session)
    assert (said["state"], said["error"], said["classes"]) == ("ready", "", names)
    assert [epoch["epoch"] for epoch in said["history"]] == [*range(1, len(said["history"]) + 1)]

    predictions = server.predict(
        *(tmp_path / f"faces/{name}.{n}.jpg" for name in ("cat", "dog") for n in (12, 13)),
        network=session,
    ).json()["predictions"]
    assert sum(each["label"] == names[place // 2] for place, each in enumerate(predictions)) >= 3
    with zipfile.ZipFile(io.BytesIO(server.get(f"/v1/lessons/{session}/run.zip").content)) as run:
        run.extractall(tmp_path)
    assert sorted(Engine.of_run(Run(tmp_path / "run")).classes) == sorted(names)

    assert server.delete(f"/v1/lessons/{session}").status_code == 204
    assert server.get(f"/v1/lessons/{session}").status_code == 404
    assert server.predict(tmp_path / "faces/cat.12.jpg", network=session).status_code == 404


def test_what_cannot_be_taught_is_said(server, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    session = server.post("/v1/lessons").json()["name"]
    add = f"/v1/lessons/{session}/pictures?label=0"
    (kept,) = server.post(add, files=form([tmp_path / "text.jpg"])).json()["pictures"]
    assert (kept["number"], kept["error"]) == (None, "is text, no picture")
    for classes, words in (
        (["one"], "name two classes or more"),
        (["one", "one"], "each another"),
        (["one", "a\nb"], "in one line"),
        (["one", 2], "the names"),
        ("one", "classes"),
    ):
        said = server.post(f"/v1/lessons/{session}/train", json={"classes": classes})
        assert said.status_code == 422 and words in said.json()["detail"], said.text


def test_to_teach_takes_the_token_where_there_is_one(trained_run, tmp_path):
    with serving(tmp_path, trained_run, "--host", "0.0.0.0", ALEXNET_TF_TOKEN="secret") as server:
        assert server.post("/v1/lessons").status_code == 401
        wrong = {"Authorization": "Bearer secre"}
        assert server.post("/v1/lessons", headers=wrong).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert server.post("/v1/lessons", headers=right).status_code == 201
        assert server.get("/v1/networks").json()["needs_token"]


def test_beyond_loopback_nobody_teaches_without_a_token(trained_run, tmp_path):
    with serving(tmp_path, trained_run, "--host", "0.0.0.0", ALEXNET_TF_TOKEN="") as server:
        assert server.post("/v1/lessons").status_code in (404, 405)
        assert not server.get("/v1/networks").json()["lessons"]
        assert server.get("/healthz").status_code == 200


def test_an_address_is_believed_of_named_proxies_alone(tmp_path):
    """Behind a proxy on the same machine the page is everybody's, and the proxy knows its name."""
    limits = ("--rate", 1, "--host", "127.0.0.1")
    with serving(tmp_path, "starter", *limits, "--proxy", "127.0.0.0/8") as server:
        first = {"x-forwarded-for": "10.9.9.9, 203.0.113.1"}  # the nearest that is no proxy
        answers = [server.post("/v1/predict", headers=first) for _ in range(9)]
        assert [each.status_code for each in answers][-1] == 429
        other = server.post("/v1/predict", headers={"x-forwarded-for": "203.0.113.2"})
        assert other.status_code == 415
        assert server.get("/v1/networks", headers={"host": "a.example"}).status_code == 200
        assert not server.get("/v1/networks").json()["lessons"]
    with serving(tmp_path, "starter", *limits) as server:
        answers = [
            server.post("/v1/predict", headers={"x-forwarded-for": f"203.0.113.{number}"})
            for number in range(9)
        ]
        assert answers[-1].status_code == 429


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_it_finishes_what_it_has(trained_run, faces, tmp_path, number):
    photos = [faces / f"cat.{n}.jpg" for n in range(30)]
    with serving(tmp_path, trained_run, TMPDIR=str(tmp_path)) as server:
        assert list(tmp_path.glob("alexnet_tf-lessons-*"))
        predictions = []
        asking = threading.Thread(target=lambda: predictions.append(server.predict(*photos)))
        asking.start()
        wait_until(lambda: " 30" in waiting(server))
        server.stop(number)
        asking.join()
        assert len(predictions[0].json()["predictions"]) == 30
        assert server.process.wait() == 143
    assert not list(tmp_path.glob("alexnet_tf-lessons-*"))


def test_a_port_that_is_taken_is_named(command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = command("alexnet_tf", "serve", "starter", "--port", port, code=2).stderr
    assert f"localhost:{port}: the server cannot listen there" in message


def test_who_begins_a_request_and_never_ends_it_is_sent_away(monkeypatch):
    monkeypatch.setattr(protocol, "SECONDS", 0.2)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, port=0, http=protocol.Protocol, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert slow.recv(100) == b""
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(("patience", "pause"), [(0.4, None), (2.0, 0.05)])
def test_who_reads_nothing_of_an_answer_is_sent_away_and_who_reads_slowly_is_not(
    monkeypatch, patience, pause
):
    monkeypatch.setattr(protocol, "SECONDS", patience)
    body = b"x" * (1 << 24)  # more than the kernel keeps

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, port=0, http=protocol.Protocol, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        wait_until(lambda: server.server_state.connections)
        read = 0
        while pause and (piece := client.recv(1 << 18)):
            read += len(piece)
            time.sleep(pause)
        wait_until(lambda: not server.server_state.connections)
        assert not pause or read > len(body)
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("host", ["LocalHost", "127.0.0.2", "::1"])
def test_on_whatever_loopback_address_it_names_its_own_and_answers_to_no_others(tmp_path, host):
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6")
    with serving(tmp_path, "starter", "--host", host) as server:
        assert server.get("/v1/networks").json()["lessons"]
        rebound = server.get("/v1/networks", headers={"host": "rebound.example"})
        assert rebound.status_code == 421


def waiting(server) -> str:
    lines = server.get("/metrics").text.splitlines()
    return next(line for line in lines if line.startswith("alexnet_waiting_pictures"))


def wait_for_end(server, session: str) -> dict:
    said = {}

    def is_over() -> bool:
        said.update(server.get(f"/v1/lessons/{session}").json())
        return said["state"] != "training"

    wait_until(is_over)
    return said
