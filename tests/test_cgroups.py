"""How much of a machine is ours: affinity, and what control groups of both versions allow."""

import os

import pytest

from alexnet_tf.data.images.memory import memory
from alexnet_tf.system import cgroups, processor


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Return what makes groups as Linux describes them to a process; of these it has 64 processors.

    `kind` and `options` are those of the mount, at whose place the group `root` is; `files` are
    contents by path below it.
    """
    monkeypatch.setattr(cgroups, "PROCESS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {*range(64)})
    processor.processors.cache_clear()

    def make(line: str, kind: str, options: str, files: dict[str, str], root: str = "/") -> None:
        mount = tmp_path / "mount"
        (tmp_path / "cgroup").write_text(f"1:name=systemd:/elsewhere\n{line}\n")
        (tmp_path / "mountinfo").write_text(
            f"22 1 8:1 / / rw - ext4 /dev/sda rw\n"
            f"31 23 0:28 {root} {mount} rw,relatime shared:1 - {kind} {kind} {options}\n"
        )
        for name, content in files.items():
            (mount / name).parent.mkdir(parents=True, exist_ok=True)
            (mount / name).write_text(f"{content}\n")

    yield make
    processor.processors.cache_clear()


SLICE = "user.slice/user-1000.slice/app.scope"
STEP = "slurm/uid_7/job_8/step_0"


@pytest.mark.parametrize(
    ("line", "kind", "options", "root", "files"),
    [
        # A container with a namespace of its own.
        ("0::/", "cgroup2", "rw", "/", {"cpu.max": "150000 100000", "memory.max": "1000000"}),
        # systemd limits a slice, not the scope in it.
        (f"0::/{SLICE}", "cgroup2", "rw", "/",
         {f"{SLICE}/cpu.max": "max 100000", f"{SLICE}/memory.max": "max",
          "user.slice/cpu.max": "200000 100000", "user.slice/memory.high": "1000000"}),
        # The outer of two limits may be the narrower one.
        (f"0::/{SLICE}", "cgroup2", "rw", "/",
         {f"{SLICE}/cpu.max": "400000 100000", f"{SLICE}/memory.max": "9000000",
          "user.slice/cpu.max": "150000 100000", "user.slice/memory.max": "1000000"}),
        # Docker without a namespace: groups are named as they are outside.
        ("0::/docker/abc", "cgroup2", "rw", "/docker/abc",
         {"cpu.max": "200000 100000", "memory.max": "1000000"}),
        # SLURM with version 1, of which each controller has a mount of its own, or several one.
        (f"4:cpu,memory:/{STEP}", "cgroup", "rw,cpu,memory", "/",
         {f"{STEP}/cpu.cfs_quota_us": "-1", f"{STEP}/cpu.cfs_period_us": "100000",
          f"{STEP}/memory.limit_in_bytes": "9223372036854771712",
          "slurm/uid_7/job_8/cpu.cfs_quota_us": "200000",
          "slurm/uid_7/job_8/cpu.cfs_period_us": "100000",
          "slurm/uid_7/job_8/memory.limit_in_bytes": "1000000"}),
    ],
)  # fmt: skip
def test_the_narrowest_limit_of_all_groups_counts(group, line, kind, options, root, files):
    group(line, kind, options, files, root)
    assert processor.processors() == 2
    assert memory() == 1_000_000


def test_without_limits_the_affinity_counts(group):
    group("0::/", "cgroup2", "rw", {"cpu.max": "max 100000", "memory.max": "max"})
    assert processor.processors() == 64
    assert cgroups.memory_limits() == []


def test_another_group_of_the_same_mount_does_not_count(group):
    group(f"0::/{SLICE}", "cgroup2", "rw", {"system.slice/cpu.max": "100000 100000"})
    assert processor.processors() == 64


def test_less_than_one_processor_is_one(group):
    group("0::/", "cgroup2", "rw", {"cpu.max": "20000 100000"})
    assert processor.processors() == 1


def test_a_process_that_is_bound_to_processors_counts_these(group, monkeypatch):
    group("0::/", "cgroup2", "rw", {"cpu.max": "400000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert processor.processors() == 2


def test_a_system_without_control_groups_has_no_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups, "PROCESS", tmp_path / "none")
    assert cgroups.processor_quotas() == cgroups.memory_limits() == []
