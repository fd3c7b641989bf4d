"""What control groups (containers, SLURM, systemd) allow this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Where Linux says in which groups a process is, and where these are.
PROCESS = Path("/proc/self")


def memory_limits() -> list[int]:
    """Return the bytes that each group of this process with a limit may take, nested ones too."""
    texts = _contents("memory.max", "memory", "memory.limit_in_bytes")
    return [int(text) for text in texts if text.isdecimal()]


def processor_quotas() -> list[float]:
    """Return how many processors' time each group with a quota may take."""
    quotas = [text.split() for text in _contents("cpu.max", "", "")]
    v1 = (_contents("", "cpu", f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    quotas += [[*pair] for pair in zip(*v1)]
    return [int(each[0]) / int(each[1]) for each in quotas if "".join(each).isdecimal()]


def _contents(unified: str, controller: str, name: str) -> Iterator[str]:
    """Read the files of that name in the process's group of a `controller` and in all groups around
    it: `unified` in version 2 of control groups, where there are no others, `name` in version 1.

    Nothing elsewhere than on Linux.
    """
    with suppress(OSError, ValueError):
        groups = [line.split(":", 2) for line in _lines("cgroup")]
        for mount in _lines("mountinfo"):
            # proc(5): number, parent, device, root, mount point, options, optional fields, "-",
            # type, source, options of the type.
            first, _, last = mount.partition(" - ")
            kind, _, options = last.split(" ", 2)
            root, point = first.split(" ")[3:5]
            for number, controllers, group in groups:
                is_unified = kind == "cgroup2" and number == "0" and unified
                is_of = kind == "cgroup" and controller in controllers.split(",") and name
                if is_unified or (is_of and controller in options.split(",")):
                    yield from _upwards(Path(point), root, group, unified if is_unified else name)


def _lines(name: str) -> list[str]:
    return (PROCESS / name).read_text().splitlines()


def _upwards(point: Path, root: str, group: str, name: str) -> Iterator[str]:
    """Read the files `name` of `group` and those around it; `root` is at the mount `point`."""
    # In a container without a namespace of its own, groups are named as they are outside.
    inside = group.removeprefix(root.rstrip("/")).lstrip("/")
    folder = point / inside
    for place in (folder, *folder.parents):
        if place.is_relative_to(point):
            with suppress(OSError):
                yield (place / name).read_text().strip()
