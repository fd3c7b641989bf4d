"""Measure `serve`: pictures a second and seconds to an answer, for 1, 8 and 64 clients at once.

Each client asks about one picture after the other. One client is one picture at a time, which the
others stand beside. The last row has more clients than pictures may wait: what is beyond that is
told so at once. Server and clients share the machine's cores.

    python -m benchmarks.serving RUN --photos FOLDER
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from alexnet_tf.commands import cli
from alexnet_tf.data.sources.listing import find_pictures
from alexnet_tf.errors import RunError
from alexnet_tf.system import arguments, children
from alexnet_tf.system.text import markdown
from benchmarks.machine import describe_machine
from benchmarks.material import train_a_little
from benchmarks.row import Comparison, Figures, Place, Row

CLIENTS, WAITING = (1, 8, 64, 256), 128
# Clients and seconds of the row in `python -m benchmarks`.
SEVERAL, SECONDS = 8, 20
MOST_PHOTOS = 200


@dataclass
class Metrics:
    """Seconds to each answer, and to each refusal, within `seconds` in all."""

    predictions: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    seconds: float = 0.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a finished run, or starter")
    parser.add_argument("--photos", required=True, metavar="DIR", help="pictures to ask about")
    parser.add_argument(
        "--seconds", type=arguments.positive, default=20, metavar="N", help="for each row (20)"
    )
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    photos = read_photos(options.photos)
    lines = [("clients", "pictures/s", "p50", "p99", "refused", "p99 of these")]
    with served(options.run) as port:
        for clients in CLIENTS:
            found = asyncio.run(measure(port, photos, clients, options.seconds))
            lines.append((str(clients), *_cells(found)))
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()))
    print(markdown(lines))


def read_photos(folder: str | Path) -> list[bytes]:
    paths, _ = find_pictures([str(folder)])
    return [Path(path).read_bytes() for path in paths[:MOST_PHOTOS]]


@contextmanager
def served(run: str | Path, *options: object) -> Iterator[int]:
    """Serve a run while a block runs; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = ("--port", port, "--rate", 100_000, "--waiting", WAITING, *options)
    command = children.python("-m", "alexnet_tf", "serve", run, *config)
    with subprocess.Popen(**command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not process.stdout.readline():
                raise RunError("the server did not start; it said why above")
            yield port
        finally:
            process.terminate()


async def measure(port: int, photos: list[bytes], clients: int, seconds: float) -> Metrics:
    """Have so many clients ask for so many seconds."""
    found, numbers = Metrics(), count()
    while not await _ask(port, photos[0]):
        await asyncio.sleep(0.1)
    start = time.monotonic()

    async def be_client() -> None:
        while time.monotonic() - start < seconds:
            begun = time.monotonic()
            code = await _ask(port, photos[next(numbers) % len(photos)])
            taken = found.predictions if code == 200 else found.refusals
            taken.append(time.monotonic() - begun)
            if code != 200:
                await asyncio.sleep(1)  # as Retry-After says

    await asyncio.gather(*(be_client() for _ in range(clients)))
    found.seconds = time.monotonic() - start
    return found


async def _ask(port: int, photo: bytes) -> int | None:
    """Ask about a picture; return the status, None where nobody listens yet.

    By hand, for the clients take their share of the processor from the server.
    """
    body = b'--b\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    body += photo + b"\r\n--b--\r\n"
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return None
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer[9:12])


def _cells(found: Metrics) -> tuple[str, ...]:
    def at(seconds: list[float], share: float) -> str:
        return f"{1000 * np.quantile(seconds, share):.0f} ms" if seconds else "–"

    rate, refused = len(found.predictions) / found.seconds, len(found.refusals)
    return (
        f"{rate:.1f}", at(found.predictions, 0.5), at(found.predictions, 0.99),
        f"{refused / max(1, refused + len(found.predictions)):.0%}", at(found.refusals, 0.99),
    )  # fmt: skip


def _ours(place: Place, *options: object) -> Figures:
    with served(place.folder / "run", *options) as port:
        photos = read_photos(place.folder / "photos")
        found = asyncio.run(measure(port, photos, SEVERAL, place.scaled(SECONDS)))
    return {"seconds": found.seconds / len(found.predictions)}


ROW = Row(
    "served",
    f"served pictures, {SEVERAL} clients",
    {"ours": _ours, "ours, float32": lambda place: _ours(place, "--precision", "float32")},
    (Comparison("ours", "ours, float32", "2×, and 60 pictures/s"),),
    lambda seconds: f"{1 / seconds:.0f} pictures/s",
    prepare=train_a_little,
)


if __name__ == "__main__":
    cli.run(main, "bench")
