"""Training sessions of the page: pictures by class in a folder of the server, then a run."""

import asyncio
import csv
import logging
import secrets
import shutil
import threading
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Literal

from alexnet_tf.data.images.contents import InMemory
from alexnet_tf.data.sources.headings import is_missing
from alexnet_tf.data.sources.lists import CLASS_NUMBER
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.history import History, read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.serving.networks import ServedNetwork
from alexnet_tf.serving.trainer_process import TrainerProcess
from alexnet_tf.system.disk import is_full
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.text import printable

LOG = logging.getLogger("alexnet_tf.serving")
# Limits on simultaneous sessions and on each one, so that no visitor fills the disk.
MOST_SESSIONS, MOST_CLASSES, MOST_PICTURES, MOST_BYTES = 8, 50, 2000, 1 << 30
MOST_NAME = 60
# Seconds after which an unused session is deleted, and the interval between checks.
UNUSED, EVERY = 3600.0, 60.0
# New pictures that the convolutions process in a batch, and seconds after which a smaller batch
# starts if no more pictures arrive.
TOGETHER, PAUSE = 64, 1.0


class Gone(UserError):
    """A session, or the network of one, that no longer exists."""

    def __init__(self) -> None:
        super().__init__("there is no such lesson any more; begin a new one")


class Conflict(UserError):
    """An action that is impossible in the current state, but may be possible later; the page has
    its own sentence for some values of `code`."""

    def __init__(self, message: str, code: str | None = None):
        super().__init__(message)
        self.code = code


class TrainingSession:
    """Pictures by class, and the network trained on them."""

    def __init__(self, name: str, folder: Path, trainer_process: TrainerProcess):
        self.name, self.folder, self._trainer_process = name, folder, trainer_process
        self.state: Literal["collecting", "training", "ready", "failed"] = "collecting"
        self.error = ""
        self.network: ServedNetwork | None = None
        self.classes: tuple[str, ...] = ()
        self.used = time.monotonic()
        self._pictures: dict[int, tuple[int, int, str]] = {}  # number → class, bytes and digest
        self._number = self._trained = self._finished = 0  # added, trained, last good one
        self._unseen = 0
        self._looking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ended, self._zipping = False, threading.Lock()
        (folder / "photos").mkdir(parents=True)

    @property
    def run(self) -> Run:
        """Return the run of the latest training."""
        return self._run(self._trained)

    def add(self, label: int, picture: InMemory) -> int:
        """Add a readable picture to the class of that number; return the picture's own number.

        One that the class has already keeps its number: a page that lost a response sends it anew.
        Raises Conflict if there are too many, or the disk is full.
        """
        self.check()
        kept = label, len(picture.content), sha256(picture.content).hexdigest()
        if kept in self._pictures.values():
            return next(number for number, each in self._pictures.items() if each == kept)
        size = sum(size for _, size, _ in self._pictures.values())
        if len(self._pictures) >= MOST_PICTURES or size + len(picture.content) > MOST_BYTES:
            raise Conflict(
                f"that is enough: {len(self._pictures)} pictures; train with these", "pictures_full"
            )
        self._number += 1
        with _room():
            self._path(self._number).write_bytes(picture.content)
        self._pictures[self._number] = kept
        self._unseen += 1
        return self._number

    def remove(self, number: int) -> None:
        """Delete a picture; do nothing if the number is unknown."""
        if self._pictures.pop(number, None):
            self._path(number).unlink(missing_ok=True)

    def remove_class(self, label: int) -> None:
        """Delete all pictures of the class of that number."""
        for number, of in self.labels():
            if of == label:
                self.remove(number)

    def labels(self) -> list[tuple[int, int]]:
        """List (number, number of its class) of each picture."""
        return [(number, label) for number, (label, _, _) in self._pictures.items()]

    def picture_path(self, number: int) -> Path:
        """Return the file of a picture; Gone if the number is unknown."""
        if number not in self._pictures:
            raise Gone
        return self._path(number)

    def list_pictures(self, classes: Mapping[int, str]) -> None:
        """Write the training data, photos.csv: the pictures of these classes, number → name."""
        path = self.folder / "photos.csv"
        with _room(), open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("filename", "label"))
            for number, label in self.labels():
                if label in classes:
                    table.writerow((self._path(number), classes[label]))

    def begin(self, classes: Sequence[str | None]) -> None:
        """Prepare a training; None omits a class. UserError for unsuitable names or pictures."""
        self.check()
        if self.state == "training":
            raise Conflict("it is being trained; wait until that has ended")
        named = {label: name for label, name in enumerate(classes) if name is not None}
        named = dict(zip(named, check_classes([*named.values()])))
        counts = Counter(label for _, label in self.labels())
        for label, name in named.items():
            if counts[label] < 2:
                raise UserError(f"'{name}' has fewer than 2 pictures; 20 are a good beginning")
        self.list_pictures(named)
        self._forget_runs()
        self._trained += 1
        self.state, self.error, self.classes = "training", "", tuple(named.values())

    def train(self, classes: Sequence[str | None]) -> None:
        """Start training, as `begin` prepares it."""
        self.begin(classes)
        self._spawn(self._train())

    async def _train(self) -> None:
        try:
            await self._trainer_process.do("train", self.folder, self.run.directory.name)
            engine = await asyncio.to_thread(Engine.of_run, self.run)
        except Exception as error:
            sentence = str(error)
            if not isinstance(error, UserError | RunError | OSError):
                LOG.exception("a training failed")
                sentence = f"the training failed ({type(error).__name__}: {error}); try again"
            self.error, self.state = sentence.replace(f"{self.folder}/", ""), "failed"
        else:  # under a name that was never used before
            self.network = ServedNetwork(f"{self.name}.{self._trained}", engine)
            self._finished, self.state = self._trained, "ready"

    def look_soon(self) -> None:
        """Schedule the frozen layers' computation for new pictures, while the user chooses more."""
        if not self._looking or self._looking.done():
            self._looking = self._spawn(self._look())

    async def _look(self) -> None:
        while self._unseen:
            before = self._unseen
            await asyncio.sleep(PAUSE)
            if self._unseen != before and self._unseen < TOGETHER:
                continue
            self._unseen = 0
            if self.state != "training":
                with suppress(UserError, RunError):  # reported by training, if it still fails
                    self.list_pictures({label: str(label) for label in range(MOST_CLASSES)})
                    await self._trainer_process.do("look", self.folder, "none")

    def history(self) -> History:
        """Return the finished epochs of the latest training."""
        try:
            return read_history(self.run) if self._trained else []
        except UserError:  # it is being written for the first time
            return []

    def kept_back(self) -> int:
        """Count the validation pictures of the latest training."""
        try:
            return len((self.run.directory / "val.txt").read_text("utf-8").splitlines())
        except OSError:  # there is no list yet
            return 0

    def open_zip(self) -> BinaryIO:
        """Open a zip of the latest finished run, without checkpoints, which stays readable after
        the session is deleted. Raises Gone, and Conflict if no run has finished."""
        with self._zipping:
            self.check()
            if not self._finished:
                raise Conflict("the lesson has not been trained yet")
            folder = self._run(self._finished).directory
            path = folder / ".run.zip"
            if not path.exists():
                with (
                    _room(),
                    atomic_write(path, 0) as temporary,
                    zipfile.ZipFile(temporary, "w") as archive,
                ):
                    for file in sorted(folder.glob("[!.]*")):
                        if file.is_file():
                            archive.write(file, f"run/{file.name}")
            return open(path, "rb")

    def check(self) -> None:
        """Raise Gone if the session has been deleted."""
        if self._is_ended:
            raise Gone

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task that is cancelled when the session is deleted."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end(self) -> None:
        """Cancel the tasks and delete all files."""
        self._is_ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._delete, self.folder)

    def _delete(self, folder: Path) -> None:
        with self._zipping:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, number: int) -> Run:
        return Run(self.folder / f"run-{number}")

    def _forget_runs(self) -> None:
        """Delete all runs but the last successful one."""
        for number in range(1, self._trained + 1):
            if number != self._finished:
                self._delete(self._run(number).directory)

    def _path(self, number: int) -> Path:
        return self.folder / "photos" / f"{number}.jpg"  # formats are detected from the content


class TrainingSessions:
    """All training sessions, and the trainer process, which trains them one at a time."""

    def __init__(self, trainer_process: TrainerProcess):
        self._trainer_process = trainer_process
        self._sessions: dict[str, TrainingSession] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Delete unused sessions during a block; at its end, delete all, and their files."""
        clearing = asyncio.create_task(self._clear())
        yield
        clearing.cancel()
        await asyncio.gather(*map(self.end, [*self._sessions]))
        await self._trainer_process.close()

    async def new(self) -> TrainingSession:
        """Create a session; Conflict if too many are in use."""
        await self._end_unused()
        if len(self._sessions) >= MOST_SESSIONS:
            raise Conflict(
                f"{MOST_SESSIONS} lessons are in use, which is the most at once; one that is not "
                f"used for {UNUSED / 60:.0f} minutes is forgotten, so try again later",
                "lessons_full",
            )
        name = secrets.token_urlsafe(12)
        folder = self._trainer_process.folder / secrets.token_hex(8)
        session = self._sessions[name] = TrainingSession(name, folder, self._trainer_process)
        await self._trainer_process.start()
        return session

    def __getitem__(self, name: str) -> TrainingSession:
        """Return a session and mark it as used; Gone if the name is unknown."""
        if name not in self._sessions:
            raise Gone
        self._sessions[name].used = time.monotonic()
        return self._sessions[name]

    def network(self, name: str) -> ServedNetwork | None:
        """Return the network of that name, or the latest of the session of that name; None if it is
        unknown. Raises Conflict if the session has a later network."""
        of, _, number = name.partition(".")
        if of not in self._sessions:
            return None
        network = self[of].network
        if network and number and network.name != name:
            raise Conflict(
                "the lesson has another network by now; ask that about the picture", "replaced"
            )
        return network

    async def end(self, name: str) -> None:
        """Delete a session with its pictures and its network."""
        session = self._sessions.pop(name, None)
        if session:
            await session.end()

    async def _clear(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self._end_unused()

    async def _end_unused(self) -> None:
        for name, session in [*self._sessions.items()]:
            if session.state != "training" and time.monotonic() - session.used > UNUSED:
                await self.end(name)


@contextmanager
def _room() -> Iterator[None]:
    """Run a block that writes to disk; Conflict if the disk is full."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise Conflict("there is no room on the server's disk", "disk_full") from error


def check_classes(names: Sequence[Any]) -> list[str]:
    """Return normalized class names; UserError unless there are at least two, all different."""
    if not all(isinstance(name, str) for name in names) or len(names) > MOST_CLASSES:
        raise UserError(f"the classes should be the names of {MOST_CLASSES} at most")
    are_visible = all(printable(name) == name for name in names)
    # Normalized as displayed: é is one character, and runs of whitespace are one space.
    names = [" ".join(unicodedata.normalize("NFC", name).split()) for name in names]
    if not are_visible or not all(0 < len(name) <= MOST_NAME for name in names):
        raise UserError(f"a class should have a name of 1 to {MOST_NAME} characters in one line")
    missing = next(filter(is_missing, names), None)
    if missing:
        raise UserError(f"'{missing}' says in tables that there is no class; name it otherwise")
    # Numbers are compared by value, as in the table that is trained on.
    kinds = set(map(float, names) if all(map(CLASS_NUMBER.fullmatch, names)) else names)
    if len(kinds) != len(names) or len(names) < 2:
        raise UserError("name two classes or more, each another")
    return names
