"""The examples in the docstrings of the public interface, run as they stand."""

import doctest
import inspect
import re

import pytest

import alexnet_tf
from alexnet_tf.data.drawings import draw_faces

PUBLIC = [name for name in alexnet_tf.__all__ if name != "__version__"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    draw_faces(folder / "photos", per_class=6)
    (folder / "cat.jpg").write_bytes((folder / "photos" / "cat.0.jpg").read_bytes())
    return folder


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_a_public_name_run_as_they_stand(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    finder = doctest.DocTestFinder(recurse=False)
    (found,) = finder.find(getattr(alexnet_tf, name), name, globs={"alexnet_tf": alexnet_tf})
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found)
    assert result.attempted and not result.failed


def functions():
    """Each public function, and each public method of a class, with its name."""
    found = {name: getattr(alexnet_tf, name) for name in PUBLIC}
    for public in [*found.values()]:
        found |= vars(public) if inspect.isclass(public) else {}
    return [each for each in found.items() if inspect.isfunction(each[1]) and each[0][0] != "_"]


@pytest.mark.parametrize("name, function", functions())
def test_each_argument_of_a_public_function_is_documented(name, function):
    arguments = {*inspect.signature(function).parameters} - {"self", "settings"}
    assert arguments <= {*re.findall(r"^ *(\w+): ", function.__doc__, re.MULTILINE)}
