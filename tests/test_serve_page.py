"""The page of `serve`, as a person uses it in a browser."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import drop_paths
from tests.support.serving import serving

pytest.importorskip("fastapi")
FLOWERS = ("daisy", "roses", "tulips")
# The event of a drop of files; there is no other way to make one.
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
    config = ("starter", "--weights", weights, "--variant", "caffenet")
    with serving(tmp_path_factory.mktemp("served"), *config) as server:
        yield server


@pytest.fixture(scope="module")
def servers_folder(tmp_path_factory) -> Path:
    """Make the temporary folder of the `servers`."""
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def servers(servers_folder):
    """A server that only this computer reaches, and one that others do, by their hosts."""
    folder = servers_folder
    with (
        serving(folder, "starter", TMPDIR=str(folder)) as own,
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
    first, second = opened.locator(".prediction").all()
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
    assert opened.locator(".prediction h2").inner_text() == "cat"


def test_a_text_that_is_called_jpg_gets_a_message(opened, tmp_path):
    (tmp_path / "notes.jpg").write_text("milk, eggs")
    drop(opened, "#drop", tmp_path / "notes.jpg")
    assert opened.locator(".prediction h2").inner_text() == "is text, no picture"
    assert opened.locator(".prediction .file").inner_text() == "notes.jpg"


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
    assert opened.locator("#status").inner_text().startswith("Trained in ")
    drop(opened, "#try-drop", photos["roses"][30])
    assert opened.locator("#try-predictions h2").inner_text() == "roses"
    # A picture that is added is learned at once, and what was tried is asked about again.
    with opened.expect_request("**/v1/lessons/*/train"):
        drop(opened, ".class:nth-child(1)", photos[FLOWERS[0]][20])
    with opened.expect_request("**/v1/predict?*"):
        opened.locator("#train:enabled").wait_for()
    with opened.expect_download() as found:
        opened.get_by_role("button", name="Download the run").click()
    assert found.value.suggested_filename == "run.zip"
    opened.get_by_role("tab", name="Predict").click()
    assert opened.locator("#network option:checked").inner_text() == "My classes"
    opened.get_by_role("tab", name="Teach it here").click()
    opened.get_by_role("button", name="Forget everything").click()
    opened.get_by_role("button", name="Delete", exact=True).click()
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
    kept = opened.locator(".class:first-child .thumbs button")
    kept.nth(2).wait_for()
    said = opened.locator(".class:first-child .count").inner_text()
    assert said == f"{kept.count()} pictures"


@pytest.mark.parametrize("tab", ["Predict", "Teach it here"])
def test_a_phone_shows_everything(opened, material, tab):
    opened.set_viewport_size({"width": 360, "height": 740})
    if tab == "Predict":
        drop(opened, "#drop", material / "data/dogs-vs-cats/cat.7.jpg")
        opened.locator(".prediction h2").wait_for()
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
    assert opened.locator("#teach").is_visible() and not opened.locator("#predict").is_visible()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.ariaLabel") == "Class name"


@pytest.mark.parametrize(
    "language, title, tab",
    [("de", "Was ist auf dem Bild?", "Erkennen"), ("zh", "图片里是什么？", "识别")],
)
def test_the_page_speaks_the_readers_language(opened, language, title, tab):
    opened.locator("#language").select_option(language)
    opened.get_by_role("heading", level=1, name=title, exact=True).wait_for()
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
            "Deine Bilder werden an den Rechner gesendet, der diese Seite bereitstellt (127.0.0.1:",
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
    page.locator("#kept", has_text=words).wait_for()
    said = page.locator("#kept").inner_text()
    assert said.startswith(words)
    thousands = "2.000" if language == "de" else "2,000"
    assert re.findall(r"[\d.,]*\d", said)[-5:] == ["60", "8", "50", thousands, "1"]


@pytest.fixture
def teaching(page, servers):
    """Open the page's place to teach, at a server that only this computer reaches."""
    page.set_default_timeout(SECONDS)
    page.goto(servers["localhost"].url)
    page.locator("body[data-ready]").wait_for()
    page.get_by_role("tab", name="Teach it here").click()
    return page


def classes_of(page) -> dict[str, str]:
    """Read the names of the classes, and how many pictures each has."""
    cards = page.locator(".class").all()
    return {
        card.locator("input[type=text]").input_value(): card.locator(".count").inner_text()
        for card in cards
    }


@pytest.fixture
def faces_apart(faces, tmp_path):
    """Lay drawn faces and other files into a folder for each class."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for n in range(3):
            shutil.copy(faces / f"{name}.{n}.jpg", tmp_path / "pets" / name)
    (tmp_path / "pets/cat/notes.txt").write_text("milk, eggs")
    return tmp_path / "pets"


def test_a_training_is_followed_whatever_the_network_does(teaching, faces_apart):
    """A locked phone misses answers; the network that was trained is offered all the same."""
    asked = []
    teaching.allowed.append("ERR_FAILED")

    def answer(route):
        if route.request.method != "GET":
            route.fulfill(status=202, json={})
            return
        asked.append(route)
        if 1 < len(asked) < 6:
            route.abort()
            return
        epoch = {"epoch": 1, "loss": 1, "accuracy": 1, "val_loss": 1, "val_accuracy": 1}
        state = "training" if len(asked) < 7 else "ready"
        said = {"name": "x", "state": state, "error": "", "history": [epoch], "kept_back": 6}
        route.fulfill(json=said | {"network": "x.1"})

    teaching.locator("#folder").set_input_files(faces_apart)
    teaching.locator("#train:enabled").wait_for()
    teaching.route(re.compile(r"/v1/lessons/[^/]+(/train)?$"), answer)
    teaching.locator("#train").click()
    teaching.get_by_text("The server does not respond.").wait_for()
    teaching.locator("#try").wait_for()
    said = teaching.locator("#status").inner_text()
    assert "6 of 6 pictures are correct in cross-validation" in said
    assert "expect an accuracy of 61% to 100%" in said


def test_each_folder_that_is_picked_is_a_class_and_what_is_no_picture_is_counted(
    teaching, faces_apart
):
    teaching.locator("#folder").set_input_files(faces_apart)
    teaching.locator("#train:enabled").wait_for()
    assert classes_of(teaching) == {"cat": "3 pictures", "dog": "3 pictures"}
    assert (
        teaching.locator("#teach-problems").inner_text()
        == "1 file was skipped because it is not a picture."
    )


@pytest.mark.parametrize("dropped", ["pets", "pets/dog"])
def test_a_folder_that_is_dropped_is_read(teaching, faces_apart, dropped):
    drop_paths(teaching, ".class", faces_apart.parent / dropped)
    teaching.get_by_text("3 pictures").first.wait_for()
    teaching.get_by_text("Uploading").wait_for(state="detached")
    found = {"cat": "3 pictures"} if dropped == "pets" else {"": "Drop pictures here"}
    assert classes_of(teaching) == {"dog": "3 pictures"} | found


def test_pictures_that_do_not_arrive_are_named_and_sent_again(teaching, faces):
    failing = []
    teaching.allowed.append("413")

    def answer(route):
        failing.append(route)
        if len(failing) == 2:
            route.fulfill(status=413, json={"detail": "a request may have 9 bytes at most"})
        else:
            route.continue_()

    def few_at_once(route):
        route.fulfill(json=route.fetch().json() | {"most_pictures": 2})

    teaching.route("**/v1/networks", few_at_once)
    teaching.reload()
    teaching.locator("body[data-ready]").wait_for()
    teaching.get_by_role("tab", name="Teach it here").click()
    teaching.route("**/pictures?label=0", answer)
    drop(teaching, ".class:nth-child(1)", *(faces / f"cat.{n}.jpg" for n in range(6)))
    problem = teaching.locator(".class:nth-child(1) .problems")
    problem.get_by_role("button", name="Try again").wait_for()
    assert classes_of(teaching)[""] != "6 pictures"
    assert problem.locator("div").inner_text() == (
        "2 pictures were not uploaded (cat.2.jpg, cat.3.jpg). "
        "The pictures are too large for one upload."
    )
    problem.get_by_role("button", name="Try again").click()
    teaching.locator(".class:nth-child(1)").get_by_text("6 pictures").wait_for()
    assert problem.inner_text() == ""


def test_what_is_forgotten_while_it_is_sent_does_not_come_back(teaching, faces):
    held, ended = [], []
    teaching.route("**/pictures?label=0", lambda route: held.append(route))
    teaching.on("request", lambda each: each.method == "DELETE" and ended.append(each.url))
    with teaching.expect_response("**/v1/lessons") as begun:
        drop(teaching, ".class:nth-child(1)", faces / "cat.0.jpg")
    name = begun.value.json()["name"]
    while not held:
        teaching.wait_for_timeout(50)
    teaching.get_by_role("button", name="Forget everything").click()
    teaching.get_by_role("button", name="Delete", exact=True).click()
    teaching.wait_for_timeout(500)
    assert [url.rpartition("/")[2] for url in ended] == [name]
    assert "".join(teaching.locator("#teach .problems").all_inner_texts()) == ""
    assert classes_of(teaching) == {"": "Drop pictures here"}
    assert "Training needs two or more classes" in teaching.locator("#status").inner_text()


def test_a_lesson_that_is_forgotten_while_it_begins_is_so_on_the_server_too(teaching):
    held, ended = [], []
    teaching.route("**/v1/lessons", lambda route: held.append(route))
    teaching.on("request", lambda each: each.method == "DELETE" and ended.append(each.url))
    teaching.locator(".class:nth-child(1) input[type=text]").fill("cat")
    while not held:
        teaching.wait_for_timeout(50)
    teaching.get_by_role("button", name="Forget everything").click()
    with teaching.expect_response("**/v1/lessons") as begun:
        held[0].continue_()
    name = begun.value.json()["name"]
    teaching.wait_for_timeout(1000)
    assert [url.rpartition("/")[2] for url in ended] == [name]


def test_a_phones_photo_is_sent_upright_and_no_larger_than_is_learned_from(
    teaching, servers_folder, tmp_path
):
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned by 90 degrees
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((4000, 3000))
    photo.save(tmp_path / "phone.jpg", exif=exif)
    before = {*servers_folder.glob("*/*/photos/*")}
    drop(teaching, ".class:nth-child(1)", tmp_path / "phone.jpg")
    teaching.locator(".count").get_by_text("1 picture", exact=True).wait_for()
    (kept,) = {*servers_folder.glob("*/*/photos/*")} - before
    with Image.open(kept) as sent:
        assert (sent.size, sent.getexif().get(0x0112)) == ((768, 1024), None)
        upright = np.asarray(photo.transpose(Image.Transpose.ROTATE_270).resize((768, 1024)), float)
        assert np.abs(np.asarray(sent.convert("RGB"), float) - upright).mean() < 12


def test_no_share_is_rounded_to_all_or_none(opened):
    shares = [0, 0.00001, 0.0414, 0.5, 0.6666, 0.99, 0.9951, 0.9996, 1]
    words = "async (shares) => shares.map((await import('/page/i18n.js')).percent)"
    assert opened.evaluate(words, shares) == [
        "0%", "<0.1%", "4.1%", "50%", "67%", "99%", "99.5%", ">99.9%", "100%",
    ]  # fmt: skip


def test_the_language_that_was_chosen_is_kept(teaching):
    teaching.locator("#language").select_option("de")
    teaching.reload()
    teaching.locator("body[data-ready]").wait_for()
    assert teaching.evaluate("document.documentElement.lang") == "de"
