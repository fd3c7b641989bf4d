"""Damages small files at random and reads them: weights of every format, a run, or data.

(Of settings, `fuzz_settings.py` puts pairs together.)

Each is read in a child process with little memory to spare and little time; what comes back must be
arrays no larger than the file can account for, or BadFile, and not for want of memory.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from alexnet_tf.errors import BadFile
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import read_weights
from tests.support.caffe import random_weights, write_caffemodel
from tests.support.formats import (
    write_h5,
    write_npy,
    write_npy_of_dicts,
    write_npz,
    write_onnx,
    write_pth,
    write_safetensors,
)
from tests.support.runs import write_keras

# pool5 is 1 × 1 × 2: whole networks of 5 kB.
TINY = replace(VARIANTS["bvlc"], image_size=67, filters=(2,) * 5, groups=(1,) * 5, fc_units=(3, 3))
SECONDS = 5
MEMORY = 64 << 20
# Bytes of arrays for each byte of a file: a float32 for each byte of a float8, would there be one,
# in each of sixteen arrays.
LARGEST_GROWTH = 16 * 4
# Kind of file → the module that makes samples and mutants of it, and reads them.
SUBJECTS = {
    "weights": "tests.tools.fuzz",
    "runs": "tests.tools.fuzz_runs",
    "data": "tests.tools.fuzz_data",
    "layouts": "tests.tools.fuzz_layouts",
    "inputs": "tests.tools.fuzz_inputs",
    "settings": "tests.tools.fuzz_settings",
}
# How an input may end.
GOOD, INPUTS = ("arrays", "BadFile"), 20_000

INTERESTING = (
    # Numbers at the ends of their ranges, as bytes, as varints and as text.
    *(b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\xff" * 4, b"\xff" * 8, b"\0" * 8),
    *((1 << 40).to_bytes(8, order) for order in ("little", "big")),
    *((1 << 31).to_bytes(4, order) for order in ("little", "big")),
    *(b"\x80\x80\x80\x80\x80\x80\x80\x01", b"1099511627776", b"-1"),
    # Opcodes of a pickle.
    *(bytes([code]) for code in b"02.Qbsu(aehjKMRNt\x85\x86\x87\x8a\x8c\x93\x94\x95"),
    # Parts of a JSON header.
    *(b'"', b"{", b"[", b"]}", b'"F64"', b'"BF16"', b"[0,4]", b"1e9", b"-0", b"," * 2),
    *(b"c__builtin__\neval\n", b"r\xff\xff\xff\x7f", b"K\x40", b"\x8a\x06\0\0\0\0\0\1"),
)


def samples(folder: Path) -> dict[str, bytes]:
    """Make a small file of each format and kind, by name."""
    weights = random_weights(TINY, classes=3)
    layers = np.array({name: list(pair) for name, pair in weights.items()}, object)
    writers = {
        "a.npy": lambda path: write_npy(path, weights),
        "a.npz": lambda path: write_npz(path, weights),
        "int8.npz": lambda path: write_int8(path, weights),
        "a.pth": lambda path: write_pth(path, weights),
        "old.pth": lambda path: write_pth(path, weights, zipped=False),
        "checkpoint.pth": lambda path: write_pth(path, weights, checkpoint=True, prefix="module."),
        "oldest.pth": lambda path: write_pth(
            path, weights, zipped=False, pairs=True, first_version=True, cuda=True
        ),
        "bfloat16.pth": lambda path: write_pth(path, weights, dtype="<u2"),
        "dicts.npy": lambda path: write_npy_of_dicts(path, weights),
        "a.onnx": lambda path: write_onnx(path, weights),
        "typed.onnx": lambda path: write_onnx(path, weights, raw=False, transposed=False),
        "constants.onnx": lambda path: write_onnx(path, weights, dtype="<f2", constants=True),
        "bfloat16.onnx": lambda path: write_onnx(path, weights, dtype="<u2"),
        "a.safetensors": lambda path: write_safetensors(path, weights),
        "bfloat16.safetensors": lambda path: write_safetensors(path, weights, dtype="BF16"),
        "a.caffemodel": lambda path: write_caffemodel(path, weights, TINY),
        "v1.caffemodel": lambda path: write_caffemodel(path, weights, TINY, v1=True, legacy=True),
        "unpacked.caffemodel": lambda path: write_caffemodel(
            path, weights, TINY, packed=False, double=True
        ),
        "a.weights.h5": lambda path: write_h5(path, weights),
        "a.keras": lambda path: write_keras(path, weights),
    }
    for protocol in (2, 3):
        writers[f"{protocol}.npy"] = lambda path, protocol=protocol: path.write_bytes(
            npy_header() + pickle.dumps(layers, protocol)
        )
    for name, write in writers.items():
        write(folder / name)
        assert set(read_weights(folder / name)) == set(weights)
    return {name: (folder / name).read_bytes() for name in writers}


def npy_header() -> bytes:
    """Return the header of a .npy of one pickled object."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def write_int8(path: Path, weights: Weights) -> None:
    """Write our own format with kernels of int8."""
    parts = {}
    for name, (kernel, bias) in weights.items():
        parts[f"{name}/kernel"] = kernel.astype(np.int8)
        parts[f"{name}/scale"] = parts[f"{name}/bias"] = bias
    np.savez(path, **parts)


def mutant(originals: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Make name and content of the input `number` of the series `seed`."""
    chance = random.Random(f"{seed} {number}")
    name = sorted(originals)[number % len(originals)]
    content = originals[name]
    if content.startswith(b"PK") and chance.random() < 0.7:
        return name, damaged_inside(content, chance)
    other = originals[chance.choice(sorted(originals))]
    return name, damaged(content, other, chance)


def damaged_inside(zipped: bytes, chance: random.Random) -> bytes:
    """Damage members of a zip under right checksums: what is behind the checksums is reached."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipped)) as before, zipfile.ZipFile(file, "w") as after:
        names = before.namelist()
        victims = {chance.choice(names), "archive/data.pkl", "alexnet/data.pkl"}
        for name in names:
            content = before.read(name)
            if name in victims:
                content = damaged(content, before.read(chance.choice(names)), chance)
            after.writestr(name, content)
    return file.getvalue()


def damaged(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change some bytes, or put in some, of `other` too, or leave some out."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        # Headers are at the beginnings, tables of contents at the ends.
        size = len(changed) + 1
        zone = chance.choice((100, 1000, size))
        at = chance.randrange(min(zone, size))
        if chance.random() < 0.2:
            at = size - 1 - at
        kind = chance.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            value = chance.choice(INTERESTING)
            changed[at : at + len(value)] = value
        elif kind == 2:
            changed[at:at] = chance.choice(INTERESTING)
        elif kind == 3:
            del changed[at : at + chance.choice((1, 2, 8, 100, size))]
        elif kind == 4:
            start = chance.randrange(len(other) + 1)
            changed[at:at] = other[start : start + chance.choice((4, 30, 300))]
        else:
            changed[at : at + 8] = chance.randbytes(8)
    return bytes(changed)


@dataclass
class Report:
    """How the inputs ended, by format; what should not have been, and the extremes."""

    good: tuple[str, ...] = GOOD
    outcomes: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0, "")
    largest: tuple[int, str] = (0, "")
    peak: int = 0

    def add(self, number: int, name: str, size: int, outcome: str, seconds: float, peak: int):
        self.outcomes[outcome if outcome in self.good else "failed"] += 1
        self.slowest = max(self.slowest, (seconds, f"{number}, {name}"))
        self.largest = max(self.largest, (size, f"{number}, {name}"))
        self.peak = max(self.peak, peak)
        if outcome not in self.good:
            self.failures.append(f"input {number}, {name}: {outcome}")

    def summary(self) -> str:
        count = sum(self.outcomes.values())
        counts = ", ".join(f"{number:,} {what}" for what, number in self.outcomes.items())
        return "\n".join(
            [
                f"{count:,} inputs: {counts}",
                f"slowest {self.slowest[0]:.3f} s (input {self.slowest[1]})",
                f"largest {self.largest[0]:,} bytes (input {self.largest[1]})",
                f"memory grew by at most {self.peak >> 10:,} MiB",
                *self.failures,
            ]
        )


def fuzz(
    count: int, seed: int, folder: Path, start: int = 0, of: str = "weights", only: str = ""
) -> Report:
    """Read `count` damaged files, of which the same `seed` makes the same ones, in `folder`.

    They are damaged samples whose names contain `only`.
    """
    subject = import_module(SUBJECTS[of])
    originals = {name: each for name, each in subject.samples(folder).items() if only in name}
    report, number = Report(subject.GOOD), start
    while number < start + count:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            _read_all(subject, originals, seed, range(number, start + count), folder, write)
        os.close(write)
        with os.fdopen(read) as lines:
            for line in lines:
                report.add(*json.loads(line))
                number += 1
        status = os.waitpid(child, 0)[1]
        if status:
            name, content = subject.mutant(originals, seed, number)
            outcome = f"killed the reader (wait status {status})"
            report.add(number, name, len(content), outcome, SECONDS, 0)
            number += 1
    return report


def _read_all(subject, originals, seed: int, numbers: range, folder: Path, pipe: int) -> None:
    """Write a line to `pipe` for each input, in the child, which SIGALRM or a crash ends."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + subject.MEMORY, used + subject.MEMORY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        name, content = subject.mutant(originals, seed, number)
        signal.alarm(SECONDS)
        begun = time.monotonic()
        outcome = subject.trial(folder, originals, name, content)
        seconds = time.monotonic() - begun
        signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        line = json.dumps([number, name, len(content), outcome, seconds, peak])
        os.write(pipe, line.encode() + b"\n")
    os._exit(0)


def trial(folder: Path, originals: dict[str, bytes], name: str, content: bytes) -> str:
    """Tell how reading a file of that name and content ends, as `read` does."""
    (folder / name).write_bytes(content)
    return read(folder / name)


def read(path: Path) -> str:
    """Tell how reading `path` ends: by one of `GOOD`; anything else should not be."""
    try:
        weights = read_weights(path)
    except BadFile as error:
        cause = error.__cause__
        return f"{cause!r}" if isinstance(cause, MemoryError) else "BadFile"
    except Exception as error:
        return f"{error!r}"
    arrays = [array for pair in weights.values() for array in pair]
    if any(array.dtype != np.float32 for array in arrays):
        return "arrays that are not float32"
    if sum(array.nbytes for array in arrays) > LARGEST_GROWTH * path.stat().st_size:
        return "arrays larger than the file can account for"
    for array in arrays:
        array.tobytes()  # reaches every byte: a view beyond the file would crash
    return "arrays"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--of", default="weights", choices=SUBJECTS, help="what to damage")
    parser.add_argument("--inputs", type=int, metavar="N", help="how many (20,000; 2,000 runs)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="number of the first")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the series")
    parser.add_argument("--only", default="", metavar="TEXT", help="in the names of the samples")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subject = import_module(SUBJECTS[options.of])
        config = (options.inputs or subject.INPUTS, options.seed, Path(folder), options.start)
        # Settings are put together, not damaged.
        report = getattr(subject, "fuzz", fuzz)(*config, options.of, options.only)
    print(report.summary())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
