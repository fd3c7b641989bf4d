"""Changes one operator, comparison or number of a module at a time, and runs the tests beside it.

A mutant that no test notices shows a line that may break unseen: a test to write, code to delete,
or, where both lines mean the same, a line for equivalent_mutants.tsv with the reason. Words, type
hints, what is raised and whether a dataclass is frozen are left alone. Of mutmut and cosmic-ray,
the first changes no tables, defaults or decorated functions; the second starts a process for each
mutant, and TensorFlow takes seconds to import. Here one process imports it and forks for each
mutant, in a copy of the tree.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

QUICK = ("data/features/bytefloat", "--mutants", "1", "--seconds", "5")
ROOT = Path(__file__).parents[2]
# Lines of: path, 'line before → line after', reason; with tabs between.
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.tsv")
IMPORTED_ONCE = (
    *("tensorflow", "keras", "sklearn.metrics", "PIL.Image", "playwright.sync_api"),
    *("hypothesis.internal.observability", "anyio.pytest_plugin", "anyio._core._sockets"),
)
# The test or fixture that runs, for its children to know.
RUNNING = "MUTANTS_RUNNING"

OTHERS = {
    **{ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")},
    **{ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*")},
    **{ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"), ast.BitAnd: ("&", "|")},
    **{
        ast.BitOr: ("|", "&"),
        ast.BitXor: ("^", "&"),
        ast.And: ("and", "or"),
        ast.Or: ("or", "and"),
    },
    **{ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")},
    **{ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in")},
    **{ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is")},
    **{ast.Not: ("not", ""), ast.USub: ("-", "+")},
}


class Mutant(NamedTuple):
    """Another text for the bytes from `start` to `end` of a module."""

    path: str
    start: int
    end: int
    text: str
    # The lines that run what is changed; None if importing the module does.
    lines: range | None

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]

    def described(self, source: bytes) -> str:
        first, last = source.rfind(b"\n", 0, self.start) + 1, source.find(b"\n", self.end)
        after = self.applied(source)[first : last + len(self.text) - (self.end - self.start)]
        return " → ".join(" ".join(text.decode().split()) for text in (source[first:last], after))


def find_mutants(path: str, source: bytes) -> Iterator[Mutant]:
    """Find what can be changed in the module of that text."""
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))

    def start(node):
        return begins[node.lineno - 1] + node.col_offset

    def end(node):
        return begins[node.end_lineno - 1] + node.end_col_offset

    for node, lines in _places(ast.parse(source), None):
        operators = []
        if isinstance(node, ast.BinOp):
            operators = [(node.op, end(node.left), start(node.right))]
        elif isinstance(node, ast.AugAssign):
            operators = [(node.op, end(node.target), start(node.value))]
        elif isinstance(node, ast.UnaryOp):
            operators = [(node.op, start(node), start(node.operand))]
        elif isinstance(node, ast.Compare):
            ends = (end(each) for each in (node.left, *node.comparators))
            operators = zip(node.ops, ends, map(start, node.comparators))
        elif isinstance(node, ast.BoolOp):
            pairs = zip(node.values, node.values[1:])
            operators = [(node.op, end(left), start(right)) for left, right in pairs]
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            yield Mutant(path, start(node), end(node), _other_number(node.value), lines)
        for operator, first, last in operators:
            old, new = OTHERS.get(type(operator), ("", ""))  # none for @
            place = source.find(old.encode(), first, last)
            if old and place >= 0:
                yield Mutant(path, place, place + len(old), new, lines)


def _places(node: ast.AST, lines: range | None) -> Iterator[tuple[ast.AST, range | None]]:
    """Give the nodes whose change can be seen, and the lines that run each."""
    if isinstance(node, ast.JoinedStr | ast.Raise) or getattr(node, "arg", "") == "frozen":
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        lines = range(node.body[0].lineno, node.end_lineno + 1)
        defaults = (*node.args.defaults, *filter(None, node.args.kw_defaults))
        children = (*node.decorator_list, *defaults, *node.body)
    elif isinstance(node, ast.AnnAssign):
        children = filter(None, [node.value])
    else:
        yield node, lines
        children = ast.iter_child_nodes(node)
    for child in children:
        around = lines
        if lines and isinstance(child, ast.stmt):  # of a compound one the head, above its body
            body = getattr(child, "body", None)
            around = range(child.lineno, body[0].lineno if body else child.end_lineno + 1)
        yield from _places(child, around)


def _other_number(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return repr(not value)
    return repr((value * 2 or 1.0) if isinstance(value, float) else value + 1)


def tests_beside(path: str, seen: tuple[str, ...] = ()) -> set[str]:
    """Find the test file of a module's name; or else those that import it, or what imports it."""
    path = path.removesuffix("/__init__.py")
    name = Path(path).stem
    if (ROOT / f"tests/test_{name}.py").exists():
        return {f"tests/test_{name}.py"}

    def users(where: str) -> set[str]:
        grep = ["git", "grep", "-lE", rf"^ *from alexnet_tf.*\b{name}\b", "--", where]
        return set(subprocess.run(grep, capture_output=True, text=True, cwd=ROOT).stdout.split())

    tests = users("tests/test_*.py")
    if tests or path in seen:
        return tests
    return set().union(*(tests_beside(user, (*seen, path)) for user in users("alexnet_tf/*.py")))


def record(root: str, paths: list[str], folder: str) -> Callable[[], None]:
    """Note which lines of these modules each test and fixture runs; return what writes them."""
    files = {f"{root}/{path}": path for path in paths}
    found = defaultdict(set)

    def trace(frame, event, argument):
        path = files.get(frame.f_code.co_filename)
        if path:
            found[os.environ.get(RUNNING, "")].add((path, frame.f_lineno))
        return trace if path else None

    def write():
        text = json.dumps({label: list(lines) for label, lines in found.items()})
        Path(folder, f"{os.getpid()}.json").write_text(text)

    threading.settrace(trace)
    sys.settrace(trace)
    return write


class Watch:
    """A plugin of pytest: the seconds that each test and fixture takes, and which tests pass."""

    def __init__(self):
        self.seconds, self.fixtures, self.passed = Counter(), {}, []

    @contextmanager
    def _running(self, label: str) -> Iterator[None]:
        outer, os.environ[RUNNING] = os.environ.get(RUNNING, ""), label
        began = time.monotonic()
        yield
        self.seconds[label] = max(self.seconds[label], time.monotonic() - began)
        os.environ[RUNNING] = outer

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        with self._running(fixturedef.argname):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        self.fixtures[item.nodeid] = item.fixturenames
        with self._running(item.nodeid):
            return (yield)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.passed.append(report.nodeid)


class Only(NamedTuple):
    """A plugin of pytest: these tests alone, in this order."""

    tests: list[str]

    def pytest_collection_modifyitems(self, items):
        chosen = [item for item in items if item.nodeid in self.tests]
        items[:] = sorted(chosen, key=lambda item: self.tests.index(item.nodeid))


class Watched(NamedTuple):
    """What `Watch` and `record` saw of the tests as they are."""

    seconds: dict[str, float]
    fixtures: dict[str, list[str]]
    passed: list[str]
    lines: dict[str, set[tuple[str, int]]]

    def choose(self, mutant: Mutant, seconds: float) -> tuple[list[str], float]:
        """Choose tests that run what is changed, the cheapest first, and say what they take."""

        def cost(test, ready=()):
            new = (self.seconds.get(each, 0) for each in self.fixtures[test] if each not in ready)
            return self.seconds[test] + sum(new)

        # A test that calls nothing may notice lines that only an import runs.
        reaching = [test for test in self.passed if self._runs(test, mutant)] or self.passed
        chosen, ready, total = [], set(), 0.0
        for test in sorted(reaching, key=cost):
            if chosen and total + cost(test, ready) > seconds:
                break
            total += cost(test, ready)
            chosen.append(test)
            ready.update(self.fixtures[test])
        return chosen, total

    def _runs(self, test: str, mutant: Mutant) -> bool:
        ran = (each for label in (test, *self.fixtures[test]) for each in self.lines.get(label, ()))
        return any(path == mutant.path and line in (mutant.lines or ()) for path, line in ran)


def copy_repository(folder: Path) -> None:
    """Copy what git has of the repository, or would take, and work there from now on."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in names.split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    os.chdir(folder)
    sys.path[0] = os.environ["PYTHONPATH"] = str(folder)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant may be as large and as old as the last
    sys.dont_write_bytecode = True


def forked(work: Callable[[], int], seconds: float = float("inf")) -> int | None:
    """Return what `work` returns, in a child whose output is kept in a file; None if it is slow."""
    child = os.fork()
    if not child:
        os.setsid()
        code = 1
        try:
            with open("../output.txt", "w") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                code = work()
        finally:
            os._exit(code)
    code, ends = None, time.monotonic() + seconds
    try:
        while code is None and time.monotonic() < ends:
            time.sleep(0.02)
            done, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if done else None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return code


def run_tests(files: set[str], plugin: object, *options: str) -> int:
    """Run tests of the copy, where this tool is one of the repository's."""
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    # pytest warns of modules that were imported before, and warnings are errors.
    usual = ["-q", "-W", "default", "-p", "no:cacheprovider", "-o", "addopts="]
    usual += ["--basetemp", "../temporary"]
    return pytest.main([*usual, *options, *sorted(files)], [plugin])


def watch(files: set[str], paths: list[str]) -> Watched:
    """Run all tests of `files` as they are."""
    folder = Path("../lines").resolve()
    folder.mkdir()
    arguments = (os.getcwd(), paths, str(folder))
    Path("sitecustomize.py").write_text(  # what every child of a test begins with
        f"import atexit\nfrom tests.tools.mutants import record\natexit.register(record{arguments})"
    )

    def work():
        write, seen = record(*arguments), Watch()
        run_tests(files, seen)
        write()
        Path("../watched.json").write_text(json.dumps(vars(seen)))
        return 0

    if forked(work) != 0:
        sys.exit(Path("../output.txt").read_text())
    Path("sitecustomize.py").unlink()
    lines = defaultdict(set)
    for file in folder.iterdir():
        for label, found in json.loads(file.read_text()).items():
            lines[label].update(map(tuple, found))
    return Watched(**json.loads(Path("../watched.json").read_text()), lines=lines)


def is_caught(mutant: Mutant, source: bytes, watched: Watched, seconds: float) -> bool:
    """Say whether a test fails, or goes on far longer, once `mutant` is applied."""
    tests, takes = watched.choose(mutant, seconds)
    files = {test.split("::")[0] for test in tests}
    if not files:
        return False
    Path(mutant.path).write_bytes(mutant.applied(source))
    code = forked(lambda: run_tests(files, Only(tests), "-x"), 60 + 10 * takes)
    Path(mutant.path).write_bytes(source)
    return code != 0


def main(arguments: argparse.Namespace) -> int:
    sources = {}
    for name in arguments.of:
        place = ROOT / "alexnet_tf" / name
        if not place.is_dir() and not place.with_suffix(".py").is_file():
            sys.exit(f"{name}: is no module or room of alexnet_tf, as data/split is")
        for module in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
            sources[str(module.relative_to(ROOT))] = module.read_bytes()
    mutants = [mutant for path in sorted(sources) for mutant in find_mutants(path, sources[path])]
    random.seed(arguments.seed)
    drawn = random.sample(mutants, min(arguments.mutants, len(mutants)))
    paths = sorted({mutant.path for mutant in drawn})
    files = set(arguments.tests) or set().union(*map(tests_beside, paths))
    same = [line.split("\t") for line in EQUIVALENT.read_text().splitlines()]
    same = {(path, described) for path, described, reason in same}
    with tempfile.TemporaryDirectory() as folder:
        copy_repository(Path(folder, "copy"))
        for name in IMPORTED_ONCE:
            import_module(name)
        print(f"running {' '.join(sorted(files))} as they are", flush=True)
        watched = watch(files, paths)
        print(
            f"{len(watched.passed)} tests pass; {len(drawn)} of {len(mutants)} mutants", flush=True
        )
        counts = Counter()
        for mutant in drawn:
            source = sources[mutant.path]
            described = mutant.described(source)
            line = source.count(b"\n", 0, mutant.start) + 1
            if (mutant.path, described) in same:
                counts["equivalent"] += 1
            elif is_caught(mutant, source, watched, arguments.seconds):
                counts["caught"] += 1
            else:
                counts["not caught"] += 1
                print(f"{mutant.path}:{line}: {described}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "of", nargs="+", help="modules or rooms: layers weights/formats data/sources/lists"
    )
    parser.add_argument("--mutants", type=int, default=30, help="how many, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="draws the same ones again")
    parser.add_argument("--seconds", type=float, default=30, help="of tests for each mutant")
    parser.add_argument(
        "--tests", nargs="*", default=[], help="test files, instead of those beside"
    )
    sys.exit(main(parser.parse_args()))
