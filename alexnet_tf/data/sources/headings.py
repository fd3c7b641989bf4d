"""The words in the headings and cells of a table that tell what a column holds."""

from __future__ import annotations

import re

from alexnet_tf.data.sources.split_names import words

# Roles of columns, and the words in a heading that indicate them, of which the last one counts:
# "image_label" is a label. A heading that equals one of `LABELS` is preferred, the first ones
# first.
PATH, LABEL, PART, INDEX = "path", "label", "part", "index"
LABELS = (
    "label", "labels", "labelname", "class", "classname", "category", "breed", "species", "target",
    "tag", "type", "y", "classid", "labelid", "categoryid", "choice",
    "choices", "displayname",
)  # fmt: skip
WORDS = {
    PATH: {
        "filename", "filepath", "file", "path", "image", "img", "picture", "photo", "pic", "url",
        "uri", "link", "imagepath", "imagename", "imageid", "imgname", "imgid", "imageurl",
        "imageuri", "imagefile",
    },
    LABEL: {*LABELS, "labels", "classes", "categories"},
    PART: {"split", "dataset", "set", "subset", "partition", "part"},
    INDEX: {"id", "index", "idx", "no", "nr", "number", "row", "unnamed", "uuid", "key"},
}  # fmt: skip
# "image_id" names a picture, and "class name" is a label.
WEAK = {"id", "name", "names"}
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
# Cells without a label: pandas' missing values, and what people write.
MISSING = {
    "", "nan", "-nan", "none", "null", "na", "n/a", "#n/a", "#na", "<na>", "nat", "nil", "?",
}  # fmt: skip


def role(head: str) -> str | None:
    """Return the role of a column by the words of its heading, if they indicate one."""
    strong = [word for word in reversed(words(head)) if word not in WEAK]
    for candidates in ([plain(head)], strong, words(head)):
        for word in candidates:
            for role, known in WORDS.items():
                if word in known or word.removesuffix("s") in known:
                    return role
    return None if head else INDEX


def plain(head: str) -> str:
    return re.sub(r"[\W_]+", "", head).casefold()


def is_missing(label: str) -> bool:
    """Tell whether a cell means that there is no label."""
    return label.strip().casefold() in MISSING
