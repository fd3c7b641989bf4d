"""Metadata inside model.keras: of what network it is, and its novelty."""

import json
import zipfile
from pathlib import Path
from typing import Any

from alexnet_tf.errors import BadFile
from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.runs.run import NETWORK_SETTINGS, Run
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.zips import TooManyEntries, open_zip

# Members of the zip that a .keras is; Keras reads only its own members.
MEMBER, NOVELTY = "alexnet_tf.json", "novelty.f32"
# Most members, and bytes of one: the names of a hundred thousand classes, or their means.
MOST_MEMBERS, MOST_BYTES = 1000, 1 << 28
# Settings that predictions depend on.
SETTINGS = ("resize", *NETWORK_SETTINGS)


def write_model_metadata(
    path: Path, config: dict[str, Any], novelty: Novelty | None = None
) -> None:
    """Write the metadata of a network with this config.json into the ``.keras`` at `path`."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, json.dumps(_statement(config)))
        if novelty:
            archive.writestr(NOVELTY, novelty.to_bytes())


def read_novelty(path: Path, channels: int) -> Novelty | None:
    """Read the novelty from the model at `path`, whose last convolution has so many `channels`;
    None without any, BadFile if it is damaged."""
    content = _read_member(path, NOVELTY)
    try:
        return Novelty.from_bytes(content, channels) if content else None
    except ValueError as error:
        raise BadFile(f"{path}: is damaged (its {NOVELTY}: {error})") from error


def check_model_metadata(run: Run, config: dict[str, Any]) -> None:
    """Raise BadFile for a model.keras of another network than `config`, the run's config.json. An
    earlier version wrote no metadata: then classes.txt, if any, must match config.json."""
    said, expected = _read(run.model_path), _statement(config)
    if said is None:
        names = run.directory / "classes.txt"
        if names.is_file() and [name for name in read_lines(names) if name] != config["classes"]:
            raise BadFile(
                f"{run.config_path}: its classes are not those of classes.txt, so nobody knows "
                "which outputs of the model are which; put both back"
            )
        return
    settings = expected["settings"] | said.get("settings", {})
    for what, found in (("classes", said.get("classes")), ("settings", settings)):
        if found != expected[what]:
            raise BadFile(
                f"{run.model_path}: was written for other {what} than {run.config_path.name} "
                "beside it names; put the files of one run together"
            )


def _statement(config: dict[str, Any]) -> dict[str, Any]:
    settings = {name: config["settings"][name] for name in SETTINGS}
    return {"classes": list(config["classes"]), "settings": settings}


def _read(path: Path) -> dict[str, Any] | None:
    """Read the metadata of the model at `path`; None without any, or if it is no zip."""
    text = _read_member(path, MEMBER)
    if text is None:
        return None
    try:
        said = json.loads(text)
    except Exception as error:  # a damaged member can raise nearly anything
        raise BadFile(f"{path}: is damaged ({error})") from error
    if not isinstance(said, dict) or not isinstance(said.get("settings", {}), dict):
        raise BadFile(f"{path}: is damaged (its {MEMBER} is none of ours)")
    return said


def _read_member(path: Path, name: str) -> bytes | None:
    """Read at most `MOST_BYTES` of a member; None without it, or if the model is no zip."""
    try:
        with open_zip(path, MOST_MEMBERS) as archive:
            if name not in archive.namelist():
                return None
            with archive.open(name) as member:
                return member.read(MOST_BYTES)
    except (OSError, zipfile.BadZipFile, TooManyEntries):
        return None
    except Exception as error:  # damage can raise nearly anything
        raise BadFile(f"{path}: is damaged ({error})") from error
