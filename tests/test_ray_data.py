"""The same answers from a Ray cluster, which here is this machine."""

import pytest

from alexnet_tf.commands import predict
from alexnet_tf.errors import UserError
from alexnet_tf.inference import ray_data
from tests.support.flaky import Flaky
from tests.support.verbs import run_verb


def test_ray_answers_as_the_command_does(faces, tmp_path, monkeypatch):
    """Including pictures behind URLs."""
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    with Flaky(faces) as site:
        names = [*sorted(faces.glob("*.1[0-4].jpg")), "missing.jpg", f"{site.url}/cat.0.jpg"]
        (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in names))
        words = ("2", "list.txt", "--run", "starter", "--out")

        # The first prediction may leave the LiteRT file by which all later ones are made.
        assert run_verb(predict, *words, "first.jsonl") == 2
        assert run_verb(predict, *words, "here.jsonl") == 2
        assert run_verb(predict, *words, "ray.jsonl", "--ray", "local") == 2

    lines = (tmp_path / "ray.jsonl").read_text()
    assert lines == (tmp_path / "here.jsonl").read_text()
    assert lines.count("\n") == 12 and lines.count('"error"') == 1
    # It goes on, too, and there is nothing left to ask.
    assert run_verb(predict, *words, "ray.jsonl", "--ray", "nowhere:1") == 2
    assert (tmp_path / "ray.jsonl").read_text() == lines


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_data, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--ray needs Ray: pip install 'ray\[data\]'"):
        run_verb(predict, "2", str(tmp_path), "--ray", "local")
