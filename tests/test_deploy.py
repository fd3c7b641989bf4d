"""How deploy/ configures each worker from the number that a scheduler gave it."""

import json
import os
import subprocess
import tomllib
from itertools import chain

import pytest

from tests.support.places import ROOT

DEPLOY = ROOT / "deploy"


def programs(folder, **scripts):
    """Write stand-ins for programs, shell scripts, and return a PATH on which they come first."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_pod_knows_all_pods_and_which_it_is(tmp_path):
    yaml = pytest.importorskip("yaml")
    service, job = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pods = job["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    configured = {each["name"]: each["value"] for each in container["env"]}
    assert int(configured["WORKERS"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert pods["subdomain"] == service["metadata"]["name"]
    configured |= {
        "JOB_COMPLETION_INDEX": "2",
        "PATH": programs(tmp_path, python='echo "$TF_CONFIG"'),
    }
    command = [*container["command"], *container["args"]]
    said = subprocess.run(
        command, env=os.environ | configured, capture_output=True, check=True
    ).stdout
    hosts = [f"alexnet-{number}.alexnet:2222" for number in range(4)]
    task = {"type": "worker", "index": 2}
    assert json.loads(said) == {"cluster": {"worker": hosts}, "task": task}


@pytest.mark.parametrize(("code", "queued"), [(0, False), (1, True), (2, False), (143, True)])
def test_a_slurm_job_that_a_worker_broke_is_queued_again(tmp_path, code, queued):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    programs(tmp_path / ".venv/bin", python=f'echo "$TF_CONFIG" "$@"; exit {code}')
    path = programs(
        tmp_path,
        srun='shift; SLURM_PROCID=1 exec "$@"',
        scontrol='if [ $1 = show ]; then printf "a\\nb\\n"; else echo "$@"; fi',
    )
    configured = {"PATH": path, "SLURM_JOB_NODELIST": "[a-b]", "SLURM_JOB_ID": "7"}
    command = ["bash", DEPLOY / "slurm.sh", "--epochs", "3"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | configured, capture_output=True, text=True
    )
    assert done.returncode == code
    config, options = done.stdout.split(" train_alexnet.py ")
    assert json.loads(config)["cluster"] == {"worker": ["a:2222", "b:2222"]}
    assert json.loads(config)["task"] == {"type": "worker", "index": 1}
    assert "--run runs/big --log runs/big.log --epochs 3" in options
    assert ("requeue 7" in done.stdout) == queued


def test_the_small_server_has_the_same_packages_as_pyproject_toml():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    lines = (DEPLOY / "serve-small.txt").read_text(encoding="utf-8").splitlines()
    own = [line for line in lines if not line.startswith("#")]
    assert [line for line in own if line not in known] == []
    assert not any(line.startswith(("tensorflow", "scikit-learn", "scipy", "h5py")) for line in own)


def test_a_deployment_test_whose_programs_are_missing_is_named(tmp_path):
    """`make test-deploy` installs nothing."""
    (tmp_path / "deploy/test").mkdir(parents=True)
    programs(tmp_path / "deploy/test", **{"run.sh": (DEPLOY / "test/run.sh").read_text()})
    (tmp_path / ".venv/bin").mkdir(parents=True)
    programs(tmp_path / ".venv/bin", python="")
    programs(
        tmp_path / "deploy/test",
        **{"none.sh": "# Needs: no-such/package-of-it cat", "good.sh": "# Needs: cat"},
    )
    run = ["bash", tmp_path / "deploy/test/run.sh"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0
    assert "none (package-of-it)" in done.stdout
    assert "1 passed, 0 failed, 1 skipped" in done.stdout
    programs(tmp_path / "deploy/test", **{"bad.sh": "exit 3"})
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "failed: bad\n")
