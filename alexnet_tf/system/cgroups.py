"""Memory and CPU limits of this process's control groups (containers, SLURM, systemd)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Linux lists the groups of a process, and their mount points, here.
PROCESS = Path("/proc/self")


def memory_limits() -> list[int]:
    """Return the memory limits, in bytes, of this process's groups and the groups around them, with
    systemd's MemoryHigh, above which a process is not killed, but hardly gets on."""
    texts = [*_contents("memory.max", "memory", "memory.limit_in_bytes")]
    texts += _contents("memory.high", "", "")
    return [int(text) for text in texts if text.isdecimal()]


def processor_quotas() -> list[float]:
    """Return the CPU quotas, in processors, of this process's groups and the groups around them."""
    quotas = [text.split() for text in _contents("cpu.max", "", "")]
    v1 = (_contents("", "cpu", f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    quotas += [[*pair] for pair in zip(*v1)]
    return [int(each[0]) / int(each[1]) for each in quotas if "".join(each).isdecimal()]


def _contents(unified: str, controller: str, name: str) -> Iterator[str]:
    """Read a file of the process's group and of all groups around it, none unless on Linux: in
    version 2 of control groups `unified`, in version 1 `name` in the group of `controller`."""
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
    # In a container without its own namespace, groups have the same names as outside.
    inside = group.removeprefix(root.rstrip("/")).lstrip("/")
    folders = (point / inside, *(point / inside).parents)
    for folder in (each for each in folders if each.is_relative_to(point)):
        with suppress(OSError):
            yield (folder / name).read_text().strip()
