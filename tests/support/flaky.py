"""A server on loopback with the pictures of a folder, which fails at some requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any


class Flaky:
    """Serves `folder`. One request in `fails` is answered 503, one in `stalls` never.

    `answers` are paths and what is done in place of sending the file: a function of the handler.
    """

    def __init__(self, folder: Path, fails: int = 0, stalls: int = 0):
        self.fails, self.stalls, self.numbers = fails, stalls, count(1)
        self.predictions: dict[str, Callable[[Any], None]] = {}
        self.asked: list[str] = []
        self.closing = Event()
        self.server = _Server(("127.0.0.1", 0), partial(_Answer, directory=str(folder)))
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Flaky:
        Thread(target=self.server.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asked has had enough."""


class _Answer(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        site, number = self.server.site, next(self.server.site.numbers)
        site.asked.append(self.path)
        if self.path in site.predictions:
            site.predictions[self.path](self)
        elif site.stalls and number % site.stalls == 0:
            site.closing.wait()
        elif site.fails and number % site.fails == 0:
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def sends(
    content: bytes = b"",
    headers: dict[str, str] | None = None,
    status: int = 200,
    again: bool = False,
) -> Callable[[Any], None]:
    """Make an answer of those headers and that content, sent `again` and again for ever."""

    def answer(handler: Any) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        while again and not handler.server.site.closing.is_set():
            handler.wfile.write(content)

    return answer


def drips(before: bytes) -> Callable[[Any], None]:
    """Make an answer that begins so, and then sends a byte ten times a second for ever."""

    def answer(handler: Any) -> None:
        handler.wfile.write(before)
        while not handler.server.site.closing.is_set():
            handler.wfile.write(b"x")
            time.sleep(0.1)

    return answer
