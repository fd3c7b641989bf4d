"""The page of `serve`, as a person uses it in a browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.support.serving import serving

pytest.importorskip("fastapi")
FLOWERS = ("daisy", "roses", "tulips")
# What a drop of files is to a page; there is no other way to make one.
DROP = """(element, files) => {
  const transfer = new DataTransfer();
  for (const { name, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  for (const kind of ["dragenter", "drop"])
    element.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, cancelable: true }));
}"""
PASTE = """async (element, file) => {
  const bytes = Uint8Array.from(atob(file.content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], file.name, { type: "image/jpeg" }));
  element.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
}"""
SECONDS = 120_000  # milliseconds, for machines that are busy otherwise


@pytest.fixture(scope="module")
def server(material, tmp_path_factory):
    """A server of the starter, which teaches with ImageNet's convolutions."""
    weights = material / "weights/alexnet_pool_norm_conv.npy"
    told = ("starter", "--weights", weights, "--variant", "caffenet")
    with serving(tmp_path_factory.mktemp("served"), *told) as server:
        yield server


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A server that only this computer reaches, and one that others do, by their hosts."""
    folder = tmp_path_factory.mktemp("hosts")
    with (
        serving(folder, "starter") as own,
        serving(folder, "starter", "--host", "0.0.0.0", ALEXNET_TF_TOKEN="secret") as others,
    ):
        yield {"localhost": own, "0.0.0.0": others}


@pytest.fixture
def opened(page, server):
    page.goto(server.url)
    page.locator("body[data-ready]").wait_for()
    page.set_default_timeout(SECONDS)
    return page


def drop(page, place: str, *paths: Path) -> None:
    page.locator(place).evaluate(DROP, [as_text(path) for path in paths])


def as_text(path: Path) -> dict[str, str]:
    return {"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()}


def test_a_cat_that_is_dropped_is_a_cat(opened, material):
    photos = material / "data/dogs-vs-cats"
    drop(opened, "#drop", photos / "cat.7.jpg", photos / "dog.9.jpg")
    first, second = opened.locator(".answer").all()
    assert first.locator("h2").inner_text() == "cat"
    assert second.locator("h2").inner_text() == "dog"
    bars = first.locator(".bars li")
    assert [bar.inner_text().split("\n")[0] for bar in bars.all()] == ["cat", "dog"]
    first.get_by_role("button", name="Where does it look?").click()
    heat = first.locator("figure img").nth(1)
    heat.wait_for()
    assert heat.evaluate("image => image.decode().then(() => image.naturalWidth)") > 200
    first.get_by_role("button", name="The picture").click()
    assert first.locator("figure img").count() == 1


def test_a_picture_that_is_pasted_is_answered(opened, material):
    opened.locator("body").evaluate(PASTE, as_text(material / "data/dogs-vs-cats/cat.7.jpg"))
    assert opened.locator(".answer h2").inner_text() == "cat"


def test_a_text_that_is_called_jpg_gets_a_message(opened, tmp_path):
    (tmp_path / "notes.jpg").write_text("milk, eggs")
    drop(opened, "#drop", tmp_path / "notes.jpg")
    assert opened.locator(".answer h2").inner_text() == "is text, no picture"
    assert opened.locator(".answer .file").inner_text() == "notes.jpg"


def test_three_flowers_are_taught_and_told_apart(opened, material):
    """With twenty dropped pictures of each; another one is told right, and the run can be had."""
    opened.get_by_role("tab", name="Teach it here").click()
    opened.get_by_role("button", name="Add a class").click()
    photos = {name: sorted((material / "data/flowers" / name).glob("*")) for name in FLOWERS}
    with opened.expect_request("**/v1/lessons"):  # what trains starts before there are pictures
        opened.locator(".class:nth-child(1) input[type=text]").fill(FLOWERS[0])
    for place, name in enumerate(FLOWERS, 1):
        opened.locator(f".class:nth-child({place}) input[type=text]").fill(name)
        drop(opened, f".class:nth-child({place})", *photos[name][:20])
    opened.locator("#train:enabled").wait_for()
    assert [each.inner_text() for each in opened.locator(".count").all()] == ["20 pictures"] * 3
    opened.locator("#train").click()
    opened.locator("#curve polyline.val").wait_for()
    opened.locator("#try").wait_for()
    assert opened.locator("#status").inner_text().startswith("It has learned, in ")
    drop(opened, "#try-drop", photos["roses"][30])
    assert opened.locator("#try-answers h2").inner_text() == "roses"
    with opened.expect_download() as found:
        opened.get_by_role("button", name="Download the run").click()
    assert found.value.suggested_filename == "run.zip"
    opened.get_by_role("tab", name="Ask").click()
    assert opened.locator("#network option:checked").inner_text() == "What I taught it"
    opened.get_by_role("tab", name="Teach it here").click()
    opened.get_by_role("button", name="Forget everything").click()
    opened.locator(".class:nth-child(3)").wait_for(state="detached")
    assert opened.locator(".count").all_inner_texts() == ["Drop pictures here"] * 2


def test_the_camera_takes_pictures_while_its_button_is_held(opened):
    opened.get_by_role("tab", name="Teach it here").click()
    opened.locator(".class:first-child").get_by_role("button", name="Camera").click()
    shutter = opened.get_by_role("button", name="Hold to take many")
    shutter.hover()
    opened.mouse.down()
    opened.get_by_text("3 taken").wait_for()
    opened.mouse.up()
    opened.get_by_role("button", name="Close").click()
    opened.locator(".class:first-child .thumbs button").nth(2).wait_for()
    opened.locator(".class:first-child .thumbs button").first.click()  # is not wanted after all
    opened.wait_for_timeout(200)
    assert opened.locator(".class:first-child .count").inner_text()[0] >= "2"


@pytest.mark.parametrize("tab", ["Ask", "Teach it here"])
def test_a_phone_shows_everything(opened, material, tab):
    opened.set_viewport_size({"width": 360, "height": 740})
    if tab == "Ask":
        drop(opened, "#drop", material / "data/dogs-vs-cats/cat.7.jpg")
        opened.locator(".answer h2").wait_for()
    opened.get_by_role("tab", name=tab).click()
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    for button in opened.get_by_role("button").all():
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["height"] >= 36


def test_the_keyboard_reaches_everything(opened):
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "language"
    opened.keyboard.press("Tab")
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("document.activeElement.id") == "tab-teach"
    assert opened.locator("#teach").is_visible() and not opened.locator("#ask").is_visible()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.ariaLabel") == "Name of the class"


@pytest.mark.parametrize(
    "language, title, tab", [("de", "Was ist darauf?", "Fragen"), ("zh", "图片里是什么？", "识别")]
)
def test_the_page_speaks_the_readers_language(opened, language, title, tab):
    opened.locator("#language").select_option(language)
    assert opened.get_by_role("heading", level=1).inner_text() == title
    assert opened.get_by_role("tab").first.inner_text() == tab
    assert opened.evaluate("document.documentElement.lang") == language


@pytest.mark.parametrize(
    "host, language, words",
    [
        ("localhost", "en", "Your pictures stay on this computer"),
        ("localhost", "de", "Deine Bilder bleiben auf diesem Rechner"),
        ("localhost", "zh", "您的图片只保存在这台电脑"),
        (
            "0.0.0.0",
            "en",
            "Your pictures are sent to the computer that serves this page (127.0.0.1:",
        ),
        (
            "0.0.0.0",
            "de",
            "Deine Bilder gehen an den Rechner, von dem diese Seite kommt (127.0.0.1:",
        ),
        ("0.0.0.0", "zh", "您的图片会发送到提供此页面的电脑（127.0.0.1:"),
    ],
)
def test_the_page_says_where_pictures_are_kept_how_long_and_how_many(
    page, servers, host, language, words
):
    page.goto(servers[host].url.replace("0.0.0.0", "127.0.0.1"))
    page.locator("#language").select_option(language)
    page.get_by_role("tab").nth(1).click()
    said = page.locator("#kept").inner_text()
    assert said.startswith(words)
    thousands = "2.000" if language == "de" else "2,000"
    assert re.findall(r"[\d.,]*\d", said)[-5:] == ["60", "8", "50", thousands, "1"]
