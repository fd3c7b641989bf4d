"""A server as a user starts it, for as long as a block runs."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from alexnet_tf.system import children


@contextmanager
def serving(folder: Path, *words: object, **environment: str) -> Iterator[Server]:
    """Run `python -m alexnet_tf serve` with `words` in a folder; it ends when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = children.python("-m", "alexnet_tf", "serve", "--port", port, *words)
    command["env"] |= environment
    with subprocess.Popen(**command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("open http://")
            with httpx.Client(base_url=f"http://localhost:{port}", timeout=120) as client:
                _wait(client)
                yield Server(process, client)
        finally:
            process.terminate()
            process.wait(60)


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


def _wait(client: httpx.Client) -> None:
    for _ in range(100):
        try:
            client.get("/healthz")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
