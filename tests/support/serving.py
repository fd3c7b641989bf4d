"""A server as a user starts it, for as long as a block runs."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from alexnet_tf.system import children
from tests.support.processes import read_until, running, wait_until


@contextmanager
def serving(folder: Path, *words: object, **environment: str) -> Iterator[Server]:
    """Run `python -m alexnet_tf serve` with `words` in a folder; it ends when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = children.python("-m", "alexnet_tf", "serve", "--port", port, *words)
    command["env"] |= environment
    with running(command.pop("args"), **command, cwd=folder, stderr=None) as process:
        read_until(process, "open http://")
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=None) as client:
            wait_until(lambda: _answers(process, client))
            yield Server(process, client)
        process.terminate()
        process.wait()


class Server:
    """A process that serves, and a client that asks it."""

    def __init__(self, process: subprocess.Popen[str], client: httpx.Client):
        self.process, self.client = process, client
        self.get, self.post, self.delete = client.get, client.post, client.delete
        self.url = str(client.base_url)

    def predict(self, *paths: Path, **told: object) -> httpx.Response:
        """Send pictures as a form does."""
        return self.post("/v1/predict", files=form(paths), params=told)

    def stop(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)


def form(paths: tuple[Path, ...]) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the pictures as httpx takes the files of a form."""
    return [("pictures", (path.name, path.read_bytes())) for path in paths]


def _answers(process: subprocess.Popen[str], client: httpx.Client) -> bool:
    assert process.poll() is None, "the server has ended"
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False
