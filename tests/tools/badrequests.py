"""Send a server thousands of requests that are broken, drawn by a seed; it should answer as before.

Broken forms and JSON, wrong lengths, bodies that break off, bombs, odd methods, paths and headers,
and clients that begin and never end. After each thousand a good request is asked again, and the
server's memory is looked at. Exits with 1 if an answer changed, or memory grew after the first
fifth by more than `MOST_GROWTH`.
"""

from __future__ import annotations

import argparse
import io
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from PIL import Image

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.system import arguments
from tests.support.serving import Server, form, serving

QUICK = ("--requests", "300")
MOST_GROWTH = 100_000_000  # bytes
OPEN = 50  # slow clients at once
PATHS = ("/v1/predict", "/v1/explain", "/v1/lessons", "/v1/lessons/x/pictures?label=0", "/", "/%00")


def head(method: str, path: str, kind: str, length: int) -> bytes:
    """Return a request's headers."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode("latin-1")


def multipart(content: bytes, name: str = "a.jpg") -> bytes:
    """Return a form of one picture."""
    disposition = f'Content-Disposition: form-data; name="pictures"; filename="{name}"'
    return b"--b\r\n" + disposition.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


def bomb() -> bytes:
    """Return a PNG of a few kilobytes that has 400 million pixels."""
    content = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(content, "PNG")
    return content.getvalue()


def bad_request(random: Random, photo: bytes, huge: bytes) -> tuple[str, bytes]:
    """Draw a request; return its kind and its bytes."""
    form_kind, json_kind = "multipart/form-data; boundary=b", "application/json"
    cut = random.randrange(1, len(photo))
    damaged = bytearray(photo)
    for _ in range(random.randrange(1, 60)):
        damaged[random.randrange(len(damaged))] = random.randrange(256)
    path, noise = random.choice(PATHS), random.randbytes(random.randrange(2000))
    whole = multipart(photo)
    bodies = {
        "damaged picture": (form_kind, multipart(bytes(damaged)), 0),
        "picture that breaks off": (form_kind, multipart(photo[:cut]), 0),
        "bomb": (form_kind, multipart(huge), 0),
        "form that breaks off": (form_kind, whole[: random.randrange(len(whole))], 0),
        "odd name": (form_kind, multipart(photo[:100], "../" * 50 + "\\x00;\u202e"), 0),
        "noise as a form": (form_kind, noise, 0),
        "noise as JSON": (json_kind, noise, 0),
        "deep JSON": (json_kind, b"[" * random.randrange(1, 5000), 0),
        "JSON of other things": (json_kind, b'{"pictures": [1, {"a": "' + noise[:9] + b'"}]}', 0),
        "length too large": (form_kind, whole, 1 << random.randrange(10, 60)),
        "length too small": (form_kind, whole, -random.randrange(1, len(whole))),
        "no kind": ("x" * random.randrange(100), noise, 0),
    }  # fmt: skip
    kinds = [*bodies, "odd method", "noise", "long header"]
    name = random.choice(kinds)
    if name == "odd method":
        return name, head(random.choice(("PUT", "TRACE", "BREW")), path, "a/b", 0)
    if name == "noise":
        return name, noise
    if name == "long header":
        return name, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"
    kind, body, wrong = bodies[name]
    return name, head("POST", path, kind, len(body) + wrong) + body


def send(port: int, request: bytes) -> str:
    """Send a request, end the sending side, and return the status of the answer, if any."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(12)
        except OSError:
            return "closed"
    return answer[9:12].decode("latin-1") or "closed"


def memory(server: Server) -> int:
    """Return the bytes of memory that the server has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=arguments.positive, default=10_000, metavar="N")
    parser.add_argument("--seed", type=arguments.seed, default=0, metavar="N")
    options = parser.parse_args()
    random, huge, said, slow = Random(options.seed), bomb(), Counter(), []
    with tempfile.TemporaryDirectory() as name:
        draw_faces(Path(name), per_class=1)
        photo = Path(name, "cat.0.jpg")
        with serving(Path(name), "starter", "--rate", "100000") as server:
            port = server.client.base_url.port
            good = server.post("/v1/predict", files=form((photo,))).json()
            first = memory(server)
            for number in range(1, options.requests + 1):
                kind, request = bad_request(random, photo.read_bytes(), huge)
                said[send(port, request)] += 1
                if number % 100 == 0:
                    slow.append(socket.create_connection(("127.0.0.1", port)))
                    slow[-1].sendall(request[: random.randrange(1, 200)])
                    for client in slow[:-OPEN]:
                        client.close()
                if number % max(1, options.requests // 10) == 0:
                    again = server.post("/v1/predict", files=form((photo,))).json()
                    if again != good:
                        print(f"after {number} ({kind}) it answers {again}, not {good}")
                        return 1
                    print(f"{number} requests: {memory(server) / 1e6:.0f} MB", flush=True)
                if number == options.requests // 5:
                    first = memory(server)
            growth = memory(server) - first
    print("answers:", ", ".join(f"{count} × {code}" for code, count in said.most_common()))
    print(f"memory grew by {growth / 1e6:.0f} MB after the first fifth")
    return int(growth > MOST_GROWTH or said["500"] > 0)


if __name__ == "__main__":
    sys.exit(main())
