"""Who may import whom, imports inside of functions included (see docs/design.md)."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.places import ROOT

PACKAGE = ROOT / "alexnet_tf"
BASE = {"system", "variants", "errors"}
RUNS = BASE | {
    "runs",
    "metrics",
    "drawing",
    "data",
    "frozen",
    "gradcam",
    "model",
    "weights",
    "starter",
}
ASKING = RUNS | {"inference", "layers"}
MAY_IMPORT = {
    "errors": set(),
    "layers": set(),
    "system": {"errors"},
    "variants": {"errors"},
    "starter": {"system"},
    "metrics": {"variants", "errors"},
    "weights": BASE | {"starter"},
    "data": BASE | {"weights"},
    "model": {"weights", "variants", "layers", "errors"},
    "frozen": {"data", "model", "weights", "variants", "layers", "system", "errors"},
    "gradcam": {"model", "weights", "variants", "layers", "errors"},
    "drawing": BASE | {"metrics", "data", "gradcam"},
    "runs": BASE | {"metrics", "data", "weights", "starter"},
    "training": RUNS | {"layers"},
    "inference": RUNS | {"layers"},
    "evaluation": ASKING,
    "retrieval": ASKING,
    "export": ASKING,
    "reports": ASKING | {"evaluation"},
    "api": ASKING | {"training", "evaluation", "retrieval", "export", "reports"},
    "serving": ASKING | {"retrieval"},
    "commands": ASKING
    | {"training", "evaluation", "retrieval", "export", "reports", "api", "serving"},
    "__main__": {"commands", "system"},
    "__init__": {"api", "data", "model", "errors"},
}


def imports(path):
    """The modules that the module at `path` imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            whole = node.module == "alexnet_tf"
            yield from [f"{node.module}.{a.name}" for a in node.names] if whole else [node.module]


def rooms_imported(path):
    """The rooms of alexnet_tf that the module at `path` imports from; "" is the package itself."""
    return (name.split(".")[1] for name in imports(path) if name.startswith("alexnet_tf."))


def test_every_package_that_is_imported_is_declared():
    """Those that another package happens to bring, too; IPython only shows where it is running."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {**project["optional-dependencies"], "dev": []}
    lines = sum(extras.values(), project["dependencies"])
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    providers = packages_distributions()
    known = {*sys.stdlib_module_names, "alexnet_tf", "IPython"}
    undeclared = {
        (name, path.name)
        for path in PACKAGE.rglob("*.py")
        for name in {each.partition(".")[0] for each in imports(path)} - known
        if declared.isdisjoint(map(canonicalize_name, providers.get(name, ())))
    }
    assert undeclared == set()


def test_processors_are_counted_in_one_place():
    """Python counts those of the machine, not those that are ours."""
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    by_python = ("cpu_count(", "ThreadPoolExecutor()")
    counting = {path.name for path, text in texts.items() if any(map(text.count, by_python))}
    assert counting == {"processor.py"}


@pytest.mark.parametrize(
    "room", sorted({p.relative_to(PACKAGE).parts[0] for p in PACKAGE.rglob("*.py")})
)
def test_a_room_imports_only_from_those_below_it(room):
    room = room.removesuffix(".py")
    modules = [*(PACKAGE / room).rglob("*.py"), *PACKAGE.glob(f"{room}.py")]
    imported = {(other, path.name) for path in modules for other in rooms_imported(path)}
    allowed = MAY_IMPORT[room] | {room, "__version__"}
    assert {pair for pair in imported if pair[0] not in allowed} == set()
