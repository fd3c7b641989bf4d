"""Settings as options on a command line, and the check of their values."""

import argparse
from collections.abc import Callable, Collection
from dataclasses import Field, field, fields
from typing import Any

from alexnet_tf.system import arguments
from alexnet_tf.system.text import is_printable, printable

METAVARS: dict[Any, str] = {
    arguments.place: "PATH",
    arguments.scale: "PIXELS",
    arguments.degrees: "DEGREES",
    **dict.fromkeys((arguments.share, arguments.part), "SHARE"),
    **dict.fromkeys((arguments.natural_real, arguments.positive_real, arguments.width), "X"),
    **dict.fromkeys((arguments.positive, arguments.natural, arguments.units), "N"),
    **dict.fromkeys((arguments.seed, arguments.threads), "N"),
}


def option(
    group: str,
    default: Any,
    help: str,
    kind: Callable[[str], Any] | None = None,
    metavar: str | None = None,
    choices: Collection[str] | None = None,
    free: bool = False,
    several: bool = False,
) -> Any:
    """Declare a setting, with its option in `group`. A `free` setting may change when a run is
    resumed, because it changes no step; `several` allows more than one word."""
    metavar = metavar or METAVARS.get(kind)
    given = {"help": help, "metavar": metavar, "type": kind, "choices": choices}
    argument: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if several:
        argument |= {"nargs": "+", "action": arguments.Together}
    return field(default=default, metadata={"group": group, "argument": argument, "free": free})


def flag(name: str) -> str:
    """Return the option of a setting: ``--batch-size`` for ``batch_size``."""
    return "--" + name.replace("_", "-")


def add_options(
    parser: argparse.ArgumentParser,
    settings: type,
    names: Collection[str] | None = None,
    defaults: bool = True,
    first: Collection[str] = (),
) -> None:
    """Add to `parser`, group by group, an option for each of the `settings`, a dataclass, or for
    those in `names`; those that are called `first` in the parser's own, first group. An option that
    is not typed has the setting's default, or is suppressed if that is None; without `defaults` it
    is None."""
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for setting in fields(settings):
        if names is not None and setting.name not in names:
            continue
        argument = dict(setting.metadata["argument"])
        title = "" if setting.name in first else setting.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(f"advanced ({title})" if first else title)
        if setting.type.startswith("bool"):
            argument["action"] = argparse.BooleanOptionalAction
        default = argparse.SUPPRESS if setting.default is None else setting.default
        argument["default"] = default if defaults else None
        groups[title].add_argument(flag(setting.name), **argument)


def reason_against(setting: Field[Any], value: Any) -> str:
    """Return why the setting cannot have this value; "" if it can."""
    shown = printable(f"{value!r:.40}")
    if value is None and setting.default is None:
        return ""
    kind, argument = setting.type.removesuffix(" | None"), setting.metadata["argument"]
    types = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}[kind]
    if type(value) not in types:
        return f"should be of the type {kind}, but is {shown}"
    if "choices" in argument and value not in argument["choices"]:
        return f"should be one of {', '.join(argument['choices'])}, but is {shown}"
    if kind == "str" and not is_printable(value):
        return f"holds control characters: {shown}"
    try:
        argument.get("type", str)(str(value))
    except argparse.ArgumentTypeError as error:
        return str(error)
    return ""
