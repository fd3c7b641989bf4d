"""A server on loopback that sends a file, or what servers send when something is wrong."""

import hashlib
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

CONTENT = hashlib.shake_128(b"a file").digest(300_000)
OTHER = hashlib.shake_128(b"another").digest(300_000)


class Site:
    """A server on loopback with one file, for as long as a block runs.

    Each request takes the next of `faults`, if any; all for file.bin?bad meet the fault `bad`.
    """

    def __init__(self):
        self.content, self.version, self.validator = CONTENT, "1", "ETag"
        self.ranges = self.heeds_if_range = True
        self.faults, self.bad, self.asked = [], {}, []
        self.closing = Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Prediction)
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/file.bin"
        Thread(target=self.server.serve_forever, args=(0.01,)).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def next_fault(self, path):
        """Choose what goes wrong with the request for `path`."""
        if path.endswith("?bad"):
            return self.bad
        return self.faults.pop(0) if self.faults else {}

    def start(self, headers):
        """Return the number of the byte that the answer begins with."""
        same = headers["If-Range"] == self.version or not self.heeds_if_range
        if not (self.ranges and headers["Range"] and same):
            return 0
        return int(headers["Range"].removeprefix("bytes=").removesuffix("-"))


class Prediction(BaseHTTPRequestHandler):
    """The site's answer to one request."""

    def do_GET(self):
        site = self.server.site
        site.asked.append(self.headers["Range"])
        fault, start, size = site.next_fault(self.path), site.start(self.headers), len(site.content)
        status = fault.get("status") or (416 if start >= size else None)
        if status:
            self.send_error(status)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", fault.get("type", "application/octet-stream"))
        if site.validator:
            self.send_header(site.validator, site.version)
        if not fault.get("no_length"):
            self.send_header("Content-Length", str(fault.get("length", size - start)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        self.wfile.write(site.content[start:][: fault.get("cut")])
        if fault.get("stall"):
            site.closing.wait()

    def log_message(self, *_):
        pass


def nobody():
    """Return a URL of this machine where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
