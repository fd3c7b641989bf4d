"""A server as a user starts it, for as long as a block runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from alexnet_tf.system import children
from tests.support.processes import read_until, running, wait_until


@contextmanager
def serving(folder: Path, *words: object, **environment: str) -> Iterator[Server]:
    """Run `python -m alexnet_tf serve` with `words` in a folder; it ends when it is told to."""
    command = children.python("-m", "alexnet_tf", "serve", "--port", 0, *words)
    command["env"] |= environment
    with running(command.pop("args"), **command, cwd=folder, stderr=None) as process:
        address = read_until(process, "open http://").splitlines()[-1].split()[1]
        with httpx.Client(base_url=address, timeout=None) as client:
            wait_until(lambda: _predictions(process, client))
            yield Server(process, client)
        process.terminate()
        process.wait()


class Server:
    """A process that serves, and a client that asks it."""

    def __init__(self, process: subprocess.Popen[str], client: httpx.Client):
        self.process, self.client = process, client
        self.get, self.post, self.delete = client.get, client.post, client.delete
        self.url = str(client.base_url).rstrip("/")

    def predict(self, *paths: Path, **config: object) -> httpx.Response:
        """Send pictures as a form does."""
        return self.post("/v1/predict", files=form(paths), params=config)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end."""
        self.process.send_signal(number)

    def begin_lesson(self, *classes: list[Path]) -> str:
        """Begin a lesson with pictures of each class; return its name."""
        session = self.post("/v1/lessons").json()["name"]
        for label, paths in enumerate(classes):
            kept = self.post(f"/v1/lessons/{session}/pictures?label={label}", files=form(paths))
            assert [each["error"] for each in kept.json()["pictures"]] == [None] * len(paths)
        return session

    def train(self, session: str, *names: str) -> None:
        """Begin to train on a lesson whose classes have these names."""
        said = self.post(f"/v1/lessons/{session}/train", json={"classes": names})
        assert said.status_code == 202, said.text


# Answers every order at once, and trains nothing.
IDLE = 'import sys\nfor line in sys.stdin: print(\'{"error": ""}\', flush=True)'


@contextmanager
def serving_a_page(folder: Path) -> Iterator[Server]:
    """Serve the starter from this process, and a trainer that trains nothing: it starts at once."""
    import uvicorn

    from alexnet_tf.inference.engine import Engine
    from alexnet_tf.runs.run import STARTER_RUN
    from alexnet_tf.serving.application import Served, make_app
    from alexnet_tf.serving.networks import ServedNetwork
    from alexnet_tf.serving.trainer_process import TrainerProcess

    trainer = TrainerProcess({"args": [sys.executable, "-c", IDLE], "env": os.environ}, folder)
    starter = ServedNetwork("starter", Engine.of_run(STARTER_RUN))
    app = make_app(Served([starter], trainer_process=trainer, hosts=("localhost",)))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with httpx.Client(
                base_url=f"http://localhost:{listening.getsockname()[1]}", timeout=None
            ) as client:
                yield Server(None, client)
        finally:
            server.should_exit = True
            thread.join()


def form(paths: Sequence[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the pictures as httpx takes the files of a form."""
    return [("pictures", (path.name, path.read_bytes())) for path in paths]


def _predictions(process: subprocess.Popen[str], client: httpx.Client) -> bool:
    assert process.poll() is None, "the server has ended"
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


def teachers(folder: Path) -> set[int]:
    """Find the processes that train for the servers whose $TMPDIR is `folder`, by their numbers."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            of_folder = f"TMPDIR={folder}\0".encode() in (process / "environ").read_bytes()
            if of_folder and b"alexnet_tf.commands.teach" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found
