"""`alexnet-tf completion SHELL`, in the shells themselves where they are installed."""

import shutil
import subprocess

import pytest

from alexnet_tf.commands import VERBS, completion
from tests.support.verbs import run_verb

BASH = """
eval "$1"
COMP_WORDS=(alexnet-tf {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_alexnet_tf
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(capsys):
    def script(shell):
        run_verb(completion, shell)
        return capsys.readouterr().out

    return script


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("ex", {"explain", "export"}),
        ("train --ep", {"--epochs"}),
        ("train --variant lene", {"lenet5"}),
        ("predict --sort", {"--sort-into"}),
    ],
)
def test_bash_completes_verbs_options_and_their_values(script, words, completed):
    program = ["bash", "-c", BASH.format(words=words), "bash", script("bash")]
    found = subprocess.run(program, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == completed


def test_bash_completes_files_where_an_option_takes_one(script, tmp_path):
    (tmp_path / "weights.npy").touch()
    program = ["bash", "-c", BASH.format(words="train --weights wei"), "bash", script("bash")]
    found = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.split() == ["weights.npy"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_knows_every_verb_and_is_one_of_its_shell(script, shell):
    text = script(shell)
    assert all(verb in text for verb in VERBS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)
