"""docs/notebook.ipynb, run again as Jupyter runs it."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.places import ROOT

PATH = ROOT / "docs" / "notebook.ipynb"
# Pictures that are drawn in the notebook, and here.
FEWER = "per_class=100", "per_class=30"


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """Return the notebook as it is in the pages, and as it is once it was run again."""
    kept = nbformat.read(PATH, as_version=4)
    ours = nbformat.reads(nbformat.writes(kept).replace(*FEWER), as_version=4)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    place = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    client = NotebookClient(ours, timeout=300, kernel_name="python3", resources=place)
    client.execute(env=environment)
    return kept, ours


def output(notebook, start):
    """Return what the cell that begins so shows, without streams and bars that are gone."""
    (cell,) = (cell for cell in notebook.cells if cell.source.startswith(start))
    return [each for each in cell.outputs if each.get("data")]


def test_the_training_is_one_line_below_its_cell(notebooks):
    for notebook in notebooks:
        (bar,) = output(notebook, "run = alexnet_tf.train")
        assert "6 epochs, accuracy " in bar.data["text/plain"]


def test_what_it_shows_is_what_comes_out_again(notebooks):
    kept, ours = notebooks
    for start in ("answer =", "from PIL", "run.features"):
        (before,), (now,) = output(kept, start), output(ours, start)
        assert before.data["text/plain"] == now.data["text/plain"]
    assert output(ours, "answer =")[0].data["text/plain"] == "'cat'"
    assert "image/png" in output(ours, "run.explain")[0].data
