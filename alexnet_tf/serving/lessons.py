"""Classifiers made in the page: pictures by class in a folder of the server's own, then a run.

Training is no concern of this room: it is done by a process that `Teacher` starts and that the
caller names, told orders and answering them as lines of JSON.
"""

from __future__ import annotations

import asyncio
import csv
import json
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alexnet_tf.data.decoding import InMemory
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.history import History, read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.serving.networks import Network
from alexnet_tf.system.text import is_printable

# At once, so that whoever opens the page again and again fills no disk.
MOST_LESSONS, MOST_CLASSES, MOST_PICTURES, MOST_BYTES = 8, 50, 2000, 1 << 30
MOST_NAME = 60
# Convolutions see so many new pictures at once, or fewer once no more came for so many seconds.
TOGETHER, PAUSE = 64, 1.0
COLLECTING, TRAINING, READY, FAILED = "collecting", "training", "ready", "failed"


class Teacher:
    """The process that trains, one order after the other; it is started with the first lesson."""

    def __init__(self, command: dict[str, Any]):
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._thread = ThreadPoolExecutor(1, "teach")

    def start(self) -> None:
        """Start the process, unless it runs: it takes seconds, in which pictures are chosen."""
        self._thread.submit(self._running)

    async def do(self, order: str, folder: Path, run: str) -> None:
        """Have an order carried out in a lesson's folder, for that run; UserError or RunError where
        that fails."""
        told = {"order": order, "folder": str(folder), "run": run}
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._thread, self._do, told)
        if answer["error"]:
            raise (UserError if answer["by_user"] else RunError)(answer["error"])

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process:
            self._process.kill()
        self._thread.shutdown()

    def _do(self, told: dict[str, str]) -> dict[str, Any]:
        process = self._running()
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        except (OSError, ValueError):
            return {"error": "the process that trains has ended; try again", "by_user": False}

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            # Not ended by Ctrl-C at the terminal, which ends the server, and so this.
            self._process = subprocess.Popen(
                **self._command, **pipes, text=True, start_new_session=True
            )
        return self._process


class Lesson:
    """Pictures by class, and the network that was made of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.state, self.error = COLLECTING, ""
        self.network: Network | None = None
        self.classes: tuple[str, ...] = ()
        self._pictures: dict[int, tuple[int, int]] = {}  # number → class and bytes
        self._number = self._trained = 0
        (folder / "photos").mkdir(parents=True)

    @property
    def run(self) -> Run:
        """Return the run of the latest training."""
        return Run(self.folder / f"run-{self._trained}")

    def add(self, label: int, picture: InMemory) -> int:
        """Keep a picture, which can be read, for the class of that number; return its own.

        Raises UserError when there are too many.
        """
        size = sum(size for _, size in self._pictures.values())
        if len(self._pictures) >= MOST_PICTURES or size + len(picture.content) > MOST_BYTES:
            raise UserError(f"that is enough: {len(self._pictures)} pictures; train with these")
        self._number += 1
        self._path(self._number).write_bytes(picture.content)
        self._pictures[self._number] = label, len(picture.content)
        return self._number

    def remove(self, number: int) -> None:
        """Forget a picture; nothing where there is none of that number."""
        if self._pictures.pop(number, None):
            self._path(number).unlink()

    def list_pictures(self, classes: Sequence[str | None]) -> None:
        """Write what is trained on: photos.csv, its classes by name, but for those without."""
        with open(self.folder / "photos.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("filename", "label"))
            for number, (label, _) in self._pictures.items():
                if label < len(classes) and classes[label]:
                    table.writerow((self._path(number), classes[label]))

    def begin(self, classes: Sequence[str | None]) -> None:
        """Make ready for a training; UserError for names or pictures that will not do."""
        names = check_classes([name for name in classes if name is not None])
        for label, name in enumerate(classes):
            if name and sum(of == label for of, _ in self._pictures.values()) < 2:
                raise UserError(f"'{name}' has fewer than 2 pictures; 20 are a good beginning")
        self.list_pictures(classes)
        self._trained += 1
        self.state, self.error, self.classes = TRAINING, "", tuple(names)

    def history(self) -> History:
        """Return the epochs so far of the latest training."""
        try:
            return read_history(self.run) if self._trained else []
        except UserError:  # which is being written for the first time
            return []

    def write_zip(self) -> Path:
        """Write the run, but for checkpoints, to a zip; return its path."""
        path = self.folder / "run.zip"
        files = (each for each in sorted(self.run.directory.glob("[!.]*")) if each.is_file())
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, f"run/{file.name}")
        return path

    def _path(self, number: int) -> Path:
        return self.folder / "photos" / f"{number}.jpg"  # by its content is known what it is


class Lessons:
    """All lessons, in a temporary folder, and the teacher who gives them one after the other."""

    def __init__(self, teacher: Teacher):
        self._teacher = teacher
        self._folder = TemporaryDirectory(prefix="alexnet_tf-lessons-")
        self._lessons: dict[str, Lesson] = {}
        self._tasks: dict[str, asyncio.Task] = {}
        self._unseen: dict[str, int] = {}

    def new(self) -> str:
        """Begin a lesson, end the oldest where there are too many, and return its name."""
        if len(self._lessons) >= MOST_LESSONS:
            idle = [name for name, each in self._lessons.items() if each.state != TRAINING]
            if not idle:
                raise UserError(f"{MOST_LESSONS} lessons are being trained; wait for one to end")
            self.end(idle[0])
        self._teacher.start()
        name = secrets.token_urlsafe(12)
        folder = Path(self._folder.name) / secrets.token_hex(8)
        self._lessons[name] = Lesson(folder)
        return name

    def __getitem__(self, name: str) -> Lesson:
        return self._lessons[name]

    def __contains__(self, name: str) -> bool:
        return name in self._lessons

    def end(self, name: str) -> None:
        """Forget a lesson with its pictures and its network."""
        lesson = self._lessons.pop(name, None)
        if lesson:
            self._unseen.pop(name, None)
            shutil.rmtree(lesson.folder, ignore_errors=True)

    def look_soon(self, name: str) -> None:
        """Have the frozen layers see new pictures of a lesson while more are chosen."""
        self._unseen[name] = self._unseen.get(name, 0) + 1
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._look(name))

    def train(self, name: str, classes: Sequence[str | None]) -> None:
        """Begin to train on a lesson; UserError where it cannot be."""
        if self[name].state == TRAINING:
            raise UserError("it is being trained; wait until that has ended")
        self[name].begin(classes)
        task = asyncio.create_task(self._train(name, self[name]))
        self._tasks[f"{name} trains"] = task

    def close(self) -> None:
        """End all, and delete what was kept."""
        for task in self._tasks.values():
            task.cancel()
        self._teacher.close()
        self._folder.cleanup()

    async def _look(self, name: str) -> None:
        seen = 0
        while name in self and self._unseen.get(name, 0) > seen:
            before = self._unseen[name]
            await asyncio.sleep(PAUSE)
            if self._unseen.get(name) == before or self._unseen.get(name, 0) - seen >= TOGETHER:
                seen = self._unseen.get(name, 0)
                await self._prepare(name)
        self._tasks.pop(name, None)

    async def _prepare(self, name: str) -> None:
        lesson = self._lessons.get(name)
        if not lesson or lesson.state == TRAINING:
            return
        lesson.list_pictures([str(label) for label in range(MOST_CLASSES)])
        with suppress(UserError, RunError):  # said when it is trained, if it still is so
            await self._teacher.do("look", lesson.folder, "none")

    async def _train(self, name: str, lesson: Lesson) -> None:
        try:
            await self._teacher.do("train", lesson.folder, lesson.run.directory.name)
            engine = Engine.of_run(lesson.run)
            lesson.network, lesson.state = Network(name, engine), READY
        except (UserError, RunError, OSError) as error:
            lesson.error, lesson.state = str(error).replace(f"{lesson.folder}/", ""), FAILED
        self._tasks.pop(f"{name} trains", None)


def check_classes(names: Sequence[object]) -> list[str]:
    """Return the names of classes; UserError unless they are two or more, all different."""
    if not all(isinstance(name, str) for name in names) or len(names) > MOST_CLASSES:
        raise UserError(f"the classes should be the names of {MOST_CLASSES} at most")
    if not all(name.strip() and len(name) <= MOST_NAME and is_printable(name) for name in names):
        raise UserError(f"a class should have a name of 1 to {MOST_NAME} characters in one line")
    if len({*names}) != len(names) or len(names) < 2:
        raise UserError("name two classes or more, each another")
    return list(names)
