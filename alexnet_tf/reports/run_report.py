"""RUN/report.html, the report of a finished run, with RUN/suspects.csv and RUN/README.md."""

import csv
import io
from collections.abc import Mapping
from logging import Logger
from operator import itemgetter
from pathlib import Path
from typing import Any

from alexnet_tf.data.sources.lists import GRADE
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.review import Review, review
from alexnet_tf.reports import html
from alexnet_tf.reports.run_page import run_page
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.system.files import read_text, write_text
from alexnet_tf.system.text import encoded, in_cell

# The second line of a model card, behind the first of its front matter; Hugging Face ignores it.
CARD_MARK = "# Written by alexnet_tf with each report. Delete this line to keep your changes."
# Names of classes in a model card.
SHOWN_CLASSES = 20
LABEL_ERROR_COLUMNS = ("path", "label", "suggested", "probability", GRADE)


def leave_report(run: Run, log: Logger) -> None:
    """Write the report and the label errors of a run that has just finished; a failure is only a
    warning, because the run itself is complete."""
    try:
        write_report(run)
        log.info("%s: the report", run.report_path)
    except Exception as error:
        log.warning("warning: there is no report of %s (%s)", run.directory, error)


def write_report(run: Run, path: Path | None = None) -> Path:
    """Write the report of a finished run to `path`, by default into the run, and into the run its
    suspects.csv and, unless there is a README.md of the user's, its model card.

    Returns the path. Raises UserError for a run that cannot be evaluated, and for missing packages.
    """
    if run is STARTER_RUN:
        raise UserError("the starter was trained on pictures that are not here; name another run")
    path = path or run.report_path
    html.check_installed()
    html.check_ours(path)
    _check_label_errors(run)
    found = review(run)
    values = run_page(found)
    write_text(path, html.fill("run.html", **values))
    write_text(run.label_errors_path, label_errors_csv(found))
    if not run.card_path.is_file() or CARD_MARK in read_text(run.card_path):
        write_text(run.card_path, model_card(values))
    return path


def model_card(values: Mapping[str, Any]) -> str:
    """Format a model card in Markdown, with Hugging Face's front matter, of a report's `values`."""
    classes = [each for rows in values["by_class"] for each in rows if each["f1"] is not None]
    weakest = min(classes, key=itemgetter("f1"), default=None)
    marks = {"card_mark": CARD_MARK, "shown_classes": SHOWN_CLASSES}
    return html.fill("card.md", **values, **marks, weakest=weakest)


def label_errors_csv(found: Review) -> str:
    """Format label errors as CSV, the most confident first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(LABEL_ERROR_COLUMNS)
    classes = found.dataset.classes
    for each in found.label_errors:
        names = classes[each.picture.label], classes[each.suggested]
        path = encoded(each.picture.path)
        table.writerow([path, *map(in_cell, names), f"{each.probability:.4f}", each.grade])
    return text.getvalue()


def _check_label_errors(run: Run) -> None:
    path = run.label_errors_path
    if path.is_file() and not read_text(path).startswith(",".join(LABEL_ERROR_COLUMNS[:-1])):
        raise UserError(f"{path}: is no list of this program, and is not overwritten; move it")
