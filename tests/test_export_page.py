"""A run as a page in one file: opened from the disk, without a network, it predicts as the run."""

from __future__ import annotations

import lzma
import re
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.commands import export
from alexnet_tf.export import parity
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import Run
from tests.support.accessibility import violations
from tests.support.exported_page import ask_page, open_offline
from tests.support.places import ROOT
from tests.support.runs import CLASSES
from tests.support.verbs import run_verb

pytest.importorskip("onnxruntime")

from alexnet_tf.export import page as page_export

# The most that int8 and a browser's decoder change; measured in docs/exports.md.
MOST = 0.02
# The browser's own error where it decodes exactly: it sums float32 in another order.
EXACT = 1e-4


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    """A page of a run of drawn cats and dogs."""
    path = tmp_path_factory.mktemp("sent") / "cats.html"
    run_verb(export, trained_run, "--format", "html", "--out", path)
    return path


@pytest.fixture
def opened(page, exported):
    open_offline(page, exported)
    return page


def test_a_page_without_a_network_predicts_as_the_run(opened, exported, trained_run, faces):
    """Including a turned picture, one that is partly transparent, and a large one."""
    picture, folder, exif = Image.open(faces / "cat.3.jpg"), exported.parent, Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "turned.jpg", exif=exif, quality=95)
    clear = picture.resize((400, 300))
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(folder / "clear.png")
    picture.resize((2600, 1900)).save(folder / "large.png")
    files = [*sorted(faces.glob("*.1*.jpg")), *sorted(folder.glob("*.[jp]*g"))]
    shown = ask_page(opened, files, CLASSES)
    classifier = Classifier([Engine.of_run(Run(trained_run))])
    expected = np.stack([each[0] for each in classifier.probabilities(files)])
    assert np.ptp(expected[:, 0]) > 0.5
    assert np.abs(shown - expected).max() < MOST
    exact = [each for each in files if each.suffix == ".png" and each.stem != "large"]
    at = [files.index(each) for each in exact]
    np.testing.assert_allclose(
        shown[at], page_export.predict(exported, parity.pixels(exact)), atol=EXACT
    )


def test_it_says_what_is_unlike_anything_it_was_taught_as_the_run_does(
    opened, trained_run, faces, tmp_path
):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    ask_page(opened, [tmp_path / "noise.png", faces / "cat.3.jpg"], CLASSES)
    said = opened.locator(".prediction h2").all_inner_texts()
    assert said[0] == "Unlike anything it was taught" and said[1] in CLASSES


def test_its_policy_lets_nothing_out(opened):
    opened.allowed.append("Content Security Policy")
    blocked = opened.evaluate("""async () => {
      const found = [];
      addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
      const address = "https://example.org/", script = document.createElement("script");
      await fetch(address).catch(() => {});
      new Image().src = address;
      script.textContent = "document.title = 'changed'";
      document.body.append(script);
      document.body.append(Object.assign(document.createElement("iframe"), { src: address }));
      while (found.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
      return found;
    }""")
    assert sorted(blocked) == ["connect-src", "frame-src", "img-src", "script-src-elem"]
    assert opened.title() == "What is in the picture?"


def test_what_is_no_picture_gets_a_sentence(opened, tmp_path):
    (tmp_path / "notes.jpg").write_text("milk, eggs")
    opened.locator("#files").set_input_files(tmp_path / "notes.jpg")
    said = opened.locator(".prediction h2").inner_text()
    assert said == "is no picture that this browser reads"


def test_it_is_used_by_keyboard(opened, faces):
    opened.on("filechooser", lambda chooser: chooser.set_files(faces / "dog.2.jpg"))
    for place in ("language", "pick"):
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.id") == place
    opened.keyboard.press("Enter")
    opened.locator(".prediction h2").wait_for()
    assert opened.locator("#announced").inner_text().startswith("dog.2.jpg: ")


def test_the_camera_is_predicted_and_photographed(opened):
    opened.get_by_role("button", name="Use the camera").focus()
    opened.keyboard.press("Enter")
    opened.locator("#live li.best").wait_for()
    opened.get_by_role("button", name="Take photo").press("Enter")
    opened.locator(".prediction h2").wait_for()
    assert opened.locator(".prediction .file").inner_text() == "photo 1.jpg"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it_at_any_width(opened, faces, width, scheme):
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": width, "height": 740})
    ask_page(opened, [faces / "cat.2.jpg"], CLASSES)
    assert violations(opened) == []
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert opened.get_by_role("button").all_inner_texts() == ["Choose pictures", "Use the camera"]


def test_it_speaks_the_readers_language_and_says_that_it_sends_nothing(opened):
    opened.locator("#language").select_option("de")
    assert opened.locator("#alone").inner_text().startswith("Deine Bilder bleiben auf diesem Gerät")


def test_the_starter_is_at_most_twelve_megabytes(tmp_path):
    run_verb(export, "starter", "--format", "html", "--out", tmp_path / "cats.html")
    assert (tmp_path / "cats.html").stat().st_size < 12e6


def test_the_runtime_is_the_one_that_its_readme_names():
    folder = ROOT / "alexnet_tf/export/browser"
    named = re.findall(r"\| `(.+)` \| (\w{64}) \|", (folder / "README.md").read_text("utf-8"))
    found = {
        path.stem: sha256(lzma.decompress(path.read_bytes())).hexdigest()
        for path in folder.glob("*.xz")
    }
    assert found == dict(named)
