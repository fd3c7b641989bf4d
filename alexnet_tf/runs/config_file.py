"""Settings of a training in a file: JSON, TOML or YAML, or the config.json of a run."""

import re
import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import reason_against
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import read_json, read_text
from alexnet_tf.system.program import installing
from alexnet_tf.system.text import printable

# A number with an exponent, for which YAML 1.1 wants a point and a sign, too.
REAL = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
SETTINGS = {setting.name: setting for setting in fields(Settings)}


def read_settings(path: str) -> dict[str, Any]:
    """Return the settings in the file `path`, and its `recipe` if any, by name (with - or _),
    without nulls. Raises UserError for an unreadable file and an unknown name or value."""
    if Path(path).suffix in (".yaml", ".yml"):
        content = _read_yaml(path)
    elif Path(path).suffix == ".toml":
        try:
            content = tomllib.loads(read_text(path))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path}: cannot be read ({error})") from error
    else:
        content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("settings"), dict):
        content = content["settings"]  # of a run
    if not isinstance(content, dict):
        raise UserError(f"{path}: should be a table of settings and their values")
    known = (*SETTINGS, "recipe")
    settings = {str(name).replace("-", "_"): value for name, value in content.items()}
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"{path}: there is no setting {printable(name)}{meant}")
        reason = name in SETTINGS and reason_against(SETTINGS[name], settings[name])
        if reason:
            raise UserError(f"{path}: {name}: {reason}")
    return {name: value for name, value in settings.items() if value is not None}


def _read_yaml(path: str) -> Any:
    """Read a YAML file, to which 1e-3 is the number that it is in JSON and TOML, too."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise UserError(f"{path}: YAML needs PyYAML (`{installing('pyyaml')}`)") from error

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", REAL, list("-+0123456789"))
    try:
        return yaml.load(read_text(path), Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
