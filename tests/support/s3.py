"""An S3 server on loopback, moto's, behind a proxy that fails, stalls and breaks off."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.processes import read_until, running

# moto's server, which takes a free port and says which.
MOTO = ("-m", "moto.server", "--host", "127.0.0.1", "--port", "0")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip
# Credentials, which moto asks for and does not check.
OURS = {"Authorization": "AWS test:"}


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch, folder: Path | None = None) -> Iterator[Proxy]:
    """Serve the bucket `s3://photos`, which has what is in `folder`; the environment leads there.

    One request for a file in `fails`, `stalls` or `breaks` of the proxy is answered 503, never, or
    with the first half of the file.
    """
    s3fs = pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with running([sys.executable, *MOTO]) as moto:
        said = read_until(moto, "Running on", moto.stderr)
        with Proxy(int(said.rpartition(":")[2].split()[0])) as proxy:
            for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url}.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(s3fs.S3FileSystem, "read_timeout", 1)
            proxy.request("PUT", "/photos")
            for path in sorted(folder.rglob("*.*")) if folder else ():
                proxy.put(str(path.relative_to(folder)), path.read_bytes())
            yield proxy


class Proxy:
    """Forwards requests to S3 on `port`, and says which files were `asked` for."""

    def __init__(self, port: int):
        self.fails = self.stalls = self.breaks = 0
        self.refuses = False
        self.port, self.numbers, self.closing = port, count(1), Event()
        self.asked: list[str] = []
        handler = partial(_Forward, self)
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def request(self, verb: str, path: str, body: bytes = b"", headers: Any = OURS) -> Any:
        """Ask S3 itself; return its response, and the content of that."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.port)
        upstream.request(verb, path, body, headers)
        response = upstream.getresponse()
        return response, response.read()

    def put(self, name: str, content: bytes) -> None:
        """Put a file into the bucket."""
        self.request("PUT", f"/photos/{name}", content)

    def delete(self, name: str) -> None:
        """Take a file out of the bucket."""
        self.request("DELETE", f"/photos/{name}")

    def __enter__(self) -> Proxy:
        Thread(target=self.server.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asked has had enough."""


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, site: Proxy, *words: Any):
        self.site = site
        super().__init__(*words)

    def do_GET(self) -> None:
        site, share = self.site, 1
        if site.refuses:
            return self.send_error(403)
        if self.command == "GET" and "?" not in self.path:
            site.asked.append(self.path)
            number = next(site.numbers)
            if site.stalls and number % site.stalls == 0:
                site.closing.wait()
            if site.fails and number % site.fails == 0:
                return self.send_error(503)
            share = 2 if site.breaks and number % site.breaks == 0 else 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer, content = site.request(self.command, self.path, body, dict(self.headers))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content[: len(content) // share])
        self.close_connection = share > 1

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass
