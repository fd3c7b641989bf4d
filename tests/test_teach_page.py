"""Teaching in the page of `serve`: nothing is lost, nothing is hidden, and everybody can do it."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.support.accessibility import violations
from tests.support.browser import LABEL, drop_paths, tab_to
from tests.support.serving import serving, serving_a_page

pytest.importorskip("fastapi")
from alexnet_tf.serving import training_sessions
from alexnet_tf.serving.application import LANGUAGES, PAGE

SECONDS = 120_000  # milliseconds, for machines that are busy otherwise
# A camera that fails so, or one that is not there.
NO_CAMERA = """(problem) => {
  if (!problem) Object.defineProperty(navigator, "mediaDevices", { value: undefined });
  else navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", problem));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of the starter with room for a lesson of each test, which trains nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_sessions, "MOST_SESSIONS", 50)
        with serving_a_page(tmp_path_factory.mktemp("lessons")) as server:
            yield server


@pytest.fixture
def teaching(page, server):
    """Open the page's place to teach."""
    page.set_default_timeout(SECONDS)
    open_page(page, f"{server.url}/#teach")
    return page


def open_page(page, url: str) -> None:
    page.goto(url)
    page.locator("body[data-ready]").wait_for()


def card(page, number: int):
    return page.locator(".class").nth(number - 1)


def teach(page, number: int, name: str, *pictures: Path) -> None:
    """Name a class, counted from 1, give it pictures, and wait until they are there."""
    card(page, number).get_by_role("textbox").fill(name)
    card(page, number).locator("input[type=file]").set_input_files(pictures)
    card(page, number).locator(".thumbs button").nth(len(pictures) - 1).wait_for()


def counts(page) -> dict[str, str]:
    """Read the names of the classes, and how many pictures each has."""
    return {
        each.get_by_role("textbox").input_value(): each.locator(".count").inner_text()
        for each in page.locator(".class").all()
    }


def pictures_of(faces: Path, name: str, number: int = 3) -> list[Path]:
    return [faces / f"{name}.{n}.jpg" for n in range(number)]


def test_a_reload_keeps_classes_and_pictures(teaching, faces):
    teach(teaching, 1, "Käfer", *pictures_of(faces, "cat"))
    teach(teaching, 2, "סוס", *pictures_of(faces, "dog", 2))
    teaching.reload()
    card(teaching, 2).locator(".thumbs img").nth(1).wait_for()
    assert counts(teaching) == {"Käfer": "3 pictures", "סוס": "2 pictures"}
    teaching.locator("#train:enabled").wait_for()


def test_a_reload_while_the_server_does_not_respond_waits_and_forgets_nothing(teaching, faces):
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    lessons = re.compile(r"/v1/lessons/")
    teaching.allowed.append("ERR_FAILED")
    teaching.route(lessons, lambda route: route.abort())
    teaching.reload()
    teaching.get_by_text("The server does not respond.").wait_for()
    # A name that is typed now would begin another session.
    assert teaching.evaluate("document.getElementById('teach').inert")
    teaching.unroute(lessons)
    card(teaching, 1).get_by_text("3 pictures").wait_for()
    assert not teaching.evaluate("document.getElementById('teach').inert")
    assert counts(teaching)["cat"] == "3 pictures"


def test_a_lesson_that_is_gone_is_said_to_be(teaching, server, faces):
    with teaching.expect_response("**/v1/lessons") as begun:
        teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    server.delete(f"/v1/lessons/{begun.value.json()['name']}")
    teaching.allowed.append("404")
    teaching.reload()
    teaching.get_by_text("This is no longer on the server").wait_for()
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    assert counts(teaching) == {"cat": "3 pictures", "": "Drop pictures here"}


def test_a_press_enlarges_a_picture_and_what_is_removed_can_be_had_back(teaching, server, faces):
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    card(teaching, 1).locator(".thumbs button").nth(1).click()
    dialog = teaching.get_by_role("dialog")
    shown = dialog.locator("img")
    assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 256
    dialog.get_by_role("button", name="Close").click()
    assert counts(teaching)["cat"] == "3 pictures"
    card(teaching, 1).locator(".thumbs button").nth(1).click()
    dialog.get_by_role("button", name="Remove picture").click()
    card(teaching, 1).get_by_text("2 pictures").wait_for()
    name = json.loads(teaching.evaluate("sessionStorage.lesson"))["name"]

    def kept() -> list[int]:
        found = server.get(f"/v1/lessons/{name}/pictures").json()["pictures"]
        return [each["number"] for each in found]

    assert kept() == [1, 3]
    card(teaching, 1).get_by_role("button", name="Undo").click()
    card(teaching, 1).get_by_text("3 pictures").wait_for()
    assert kept() == [1, 3, 4]
    assert teaching.evaluate("document.activeElement.dataset.number") == "4"


def test_a_picture_that_the_server_keeps_is_not_said_to_be_removed(teaching, faces):
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    teaching.allowed.append("ERR_FAILED")
    teaching.route("**/pictures/*", lambda route: route.abort())
    card(teaching, 1).locator(".thumbs button").first.press("Delete")
    card(teaching, 1).get_by_text("The server does not respond.").wait_for()
    assert counts(teaching)["cat"] == "3 pictures"


def test_a_class_is_deleted_when_the_question_is_answered(teaching, server, faces):
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    teach(teaching, 2, "dog", *pictures_of(faces, "dog"))
    question = teaching.get_by_role("dialog")
    teaching.get_by_role("button", name="Delete class: cat").click()
    assert "Delete the class “cat” and its 3 pictures?" in question.inner_text()
    teaching.keyboard.press("Escape")
    assert [*counts(teaching)] == ["cat", "dog"]
    teaching.get_by_role("button", name="Delete class: cat").click()
    question.get_by_role("button", name="Delete").click()
    card(teaching, 2).wait_for(state="detached")
    assert teaching.evaluate("document.activeElement.value") == "dog"
    name = json.loads(teaching.evaluate("sessionStorage.lesson"))["name"]
    left = server.get(f"/v1/lessons/{name}/pictures").json()["pictures"]
    assert [each["label"] for each in left] == [1, 1, 1]
    # A class that is added takes the number that is free.
    teaching.get_by_role("button", name="Add a class").click()
    teach(teaching, 2, "bird", *pictures_of(faces, "cat"))
    teaching.reload()
    card(teaching, 2).get_by_text("3 pictures").wait_for()
    assert counts(teaching) == {"dog": "3 pictures", "bird": "3 pictures"}


def test_everything_is_forgotten_when_the_question_is_answered(teaching, faces):
    teach(teaching, 1, "cat", *pictures_of(faces, "cat"))
    teaching.get_by_role("button", name="Forget everything").click()
    assert "3 pictures" in teaching.get_by_role("dialog").inner_text()
    teaching.get_by_role("button", name="Cancel").click()
    assert counts(teaching)["cat"] == "3 pictures"
    teaching.allowed.append("ERR_FAILED")
    teaching.route("**/v1/lessons/*", lambda route: route.abort())
    teaching.get_by_role("button", name="Forget everything").click()
    teaching.get_by_role("button", name="Delete", exact=True).click()
    # The page does not say that something is gone which the server still has.
    teaching.get_by_text("It deletes your pictures after 60 minutes.").wait_for()
    assert counts(teaching) == {"": "Drop pictures here"}


def test_a_name_that_is_there_twice_is_marked_where_it_stands(teaching):
    for number in (1, 2):
        card(teaching, number).get_by_role("textbox").fill("cat")
    name = card(teaching, 2).get_by_role("textbox")
    assert name.get_attribute("aria-invalid") == "true"
    words = card(teaching, 2).locator(f"#{name.get_attribute('aria-describedby')}").inner_text()
    assert words == "Another class already has this name."
    name.fill("dog")
    assert name.get_attribute("aria-invalid") == "false"


@pytest.mark.parametrize(
    "problem, words",
    [
        ("NotAllowedError", "does not let this page use the camera"),
        ("NotReadableError", "used by another program"),
        ("NotFoundError", "No camera was found"),
        ("", "only over https or on localhost"),
    ],
)
def test_without_a_camera_the_page_says_why_and_takes_files(teaching, problem, words):
    teaching.evaluate(NO_CAMERA, problem)
    with teaching.expect_file_chooser():
        card(teaching, 1).get_by_role("button", name="Camera").click()
    card(teaching, 1).get_by_text(words).wait_for()
    assert "hoose" in card(teaching, 1).locator(".problems").inner_text()


def test_the_camera_predicts_while_nothing_is_held_one_picture_at_a_time(page, server):
    under_way, most, answered, novelty = set(), [], [], [1.5]

    def answer(route):
        under_way.add(route)
        most.append(len(under_way))
        top = [{"label": "cat", "probability": 0.75}, {"label": "dog", "probability": 0.25}]
        said = {"file": "", "label": "cat", "probability": 0.75, "top": top, "error": None}
        said["novelty"] = novelty[-1]
        page.wait_for_timeout(300)
        under_way.discard(route)
        answered.append(route)
        route.fulfill(json={"network": "starter", "predictions": [said]})

    page.route("**/v1/predict?*", answer)
    open_page(page, server.url)
    page.get_by_role("button", name="Use the camera").click()
    live = page.locator("#live li")
    live.nth(1).wait_for()
    assert page.locator("#live .unlike").inner_text() == "Unlike anything it was taught"
    assert [each.inner_text().split("\n") for each in live.all()] == [
        ["cat", "75%"],
        ["dog", "25%"],
    ]
    page.wait_for_function("() => document.querySelector('#live .best i').style.width === '75%'")
    novelty.append(0.5)
    page.wait_for_function("() => !document.querySelector('#live .unlike').innerText.trim()")
    while len(answered) < 3:
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Close").click()
    assert max(most) == 1


def test_each_language_is_one_file_with_every_sentence(server):
    assert server.get("/v1/networks").json()["languages"] == LANGUAGES
    files = {name: json.loads((PAGE / f"languages/{name}.json").read_text()) for name in LANGUAGES}
    english = files["en"]
    for name, words in files.items():
        assert words.keys() == english.keys(), name
        for key, sentence in words.items():
            forms = sentence.values() if isinstance(sentence, dict) else [sentence]
            assert isinstance(sentence, dict) == isinstance(english[key], dict), (name, key)
            named = {frozenset(re.findall(r"\{(\w+)\}", str(form))) for form in forms}
            assert key == "unreadable" or max(named, key=len) == set(
                re.findall(r"\{(\w+)\}", str(english[key]))
            ), (name, key)
    script = "\n".join(path.read_text() for path in PAGE.glob("*.js"))
    page = (PAGE / "index.html").read_text()
    said = {*re.findall(r'\bsay\("(\w+)"', script), *re.findall(r'data-words="(\w+)"', page)}
    assert said <= english.keys()


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """A server of the starter that trains."""
    with serving(tmp_path_factory.mktemp("trained"), "starter") as server:
        yield server


def test_nothing_is_lost_on_a_poor_network_on_a_locked_phone_or_by_a_reload(
    page, trainer, faces, tmp_path
):
    """Three classes, a folder each; one request in ten or its response is lost, and once all are
    for ten seconds."""
    requests, page.allowed = [], ["ERR_FAILED", "ERR_INTERNET_DISCONNECTED"]

    def answer(route):
        requests.append(route.request.url)
        if len(requests) % 10:
            route.continue_()
            return
        if len(requests) % 20:
            route.fetch()
        route.abort()

    page.set_default_timeout(SECONDS)
    page.route("**/v1/**", answer)
    open_page(page, f"{trainer.url}/#teach")
    for kind, number in (("cat", 0), ("dog", 0), ("cat", 10)):
        (tmp_path / f"pets/{kind}{number}").mkdir(parents=True)
        for n in range(number, number + 6):
            shutil.copy(faces / f"{kind}.{n}.jpg", tmp_path / f"pets/{kind}{number}")
    drop_paths(page, ".class", tmp_path / "pets")
    again = page.get_by_role("button", name="Try again")
    for _ in range(20):
        page.get_by_text("Uploading").wait_for(state="detached")
        if again.count():
            again.first.click()
        elif page.locator("#train:enabled").count():
            break
    assert counts(page) == dict.fromkeys(("cat0", "cat10", "dog0"), "6 pictures")
    name, left = (
        card(page, 1).get_by_role("textbox").input_value(),
        card(page, 1).get_by_text("5 p"),
    )
    card(page, 1).locator(".thumbs button").first.focus()
    while not left.count():
        page.keyboard.press("Delete")
        left.or_(card(page, 1).get_by_text("does not respond")).first.wait_for()
    assert page.evaluate("document.activeElement.closest('.thumbs') !== null")
    train = page.locator("#train:enabled:not([aria-disabled])")
    with page.expect_request("**/train"):
        train.click()
    page.wait_for_timeout(500)
    page.context.set_offline(True)  # a locked phone
    page.wait_for_timeout(10_000)
    assert page.locator("#status").inner_text() == "The server does not respond."
    page.context.set_offline(False)
    page.reload()
    train.wait_for()
    if not page.locator("#try").is_visible():  # the request to train was one of the ten
        train.click()
    page.locator("#try").wait_for()
    assert re.search(r"\d+ of 17 pictures are correct", page.locator("#status").inner_text())
    assert counts(page)[name] == "5 pictures"
    page.locator("#try-files").set_input_files(faces / "dog.20.jpg")
    assert page.locator("#try-predictions h2").inner_text() in ("cat0", "cat10", "dog0")


def test_teaching_needs_nothing_but_a_keyboard(page, trainer, faces):
    """From the empty page to a prediction, by keyboard; the focus is never lost."""
    chosen = [pictures_of(faces, "cat"), pictures_of(faces, "dog"), [faces / "dog.20.jpg"]]
    page.on("filechooser", lambda chooser: chooser.set_files(chosen.pop(0)))
    page.set_default_timeout(SECONDS)
    open_page(page, trainer.url)
    tab_to(page, "Predict")
    page.keyboard.press("ArrowRight")
    for place, name in enumerate(("cat", "dog"), 1):
        tab_to(page, "Class name")
        page.keyboard.type(name)
        tab_to(page, f"Add pictures: {name}")
        page.keyboard.press("Enter")
        card(page, place).locator(".thumbs button").nth(2).wait_for()
        assert page.evaluate(LABEL) == f"Add pictures: {name}"
    tab_to(page, "Train")
    page.keyboard.press("Enter")
    page.get_by_text("Training …").wait_for()
    page.locator("#try").wait_for()
    assert page.evaluate(LABEL) == "Train"
    tab_to(page, "Choose pictures")
    page.keyboard.press("Enter")
    page.locator("#try-predictions h2").wait_for()
    said = page.locator("#announced").inner_text()
    assert re.match(r"dog\.20\.jpg: (cat, |dog, |Unlike anything)", said)
    assert page.evaluate(LABEL) == "Choose pictures"


def test_a_project_is_saved_and_opened_again(teaching, server, faces, tmp_path):
    teach(teaching, 1, "a/b", *pictures_of(faces, "cat"))
    teach(teaching, 2, "狗", *pictures_of(faces, "dog", 2))
    with teaching.expect_download() as found:
        teaching.get_by_role("button", name="Save the project").click()
    path = tmp_path / "project.zip"
    found.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [*archive.namelist()]
        assert [Path(name).parent.name for name in names] == ["a／b"] * 3 + ["狗"] * 2
        for name in names:
            Image.open(io.BytesIO(archive.read(name))).verify()
        assert archive.read(names[0]) == (faces / "cat.0.jpg").read_bytes()
    with zipfile.ZipFile(tmp_path / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(faces / "dog.5.jpg", "狗/5.jpg")
        archive.writestr("狗/notes.txt", "milk, eggs")
    (tmp_path / "broken.zip").write_bytes(path.read_bytes()[:2000])
    teaching.evaluate("sessionStorage.clear()")
    teaching.reload()
    card(teaching, 1).wait_for()
    for each in ("project.zip", "deflated.zip"):
        teaching.locator("#project").set_input_files(tmp_path / each)
        teaching.locator("#train:enabled").wait_for()
    card(teaching, 2).get_by_text("3 pictures").wait_for()
    assert counts(teaching) == {"a／b": "3 pictures", "狗": "3 pictures"}
    problem = teaching.locator("#teach-problems")
    assert problem.inner_text() == "1 file was skipped because it is not a picture."
    teaching.locator("#project").set_input_files(tmp_path / "broken.zip")
    teaching.get_by_text("broken.zip is not a zip that this page can read.").wait_for()


def test_the_camera_keeps_what_it_shows_by_click_or_key(teaching):
    card(teaching, 1).get_by_role("button", name="Camera").click()
    video = teaching.locator("#video")
    teaching.wait_for_function("() => document.getElementById('video').videoWidth")
    assert video.evaluate("(video) => getComputedStyle(video).objectFit") == "contain"
    seen = video.evaluate("(video) => [video.videoWidth, video.videoHeight]")
    shutter = teaching.get_by_role("button", name="Hold to take many")
    for count, key in enumerate(("Enter", " ", None), 1):
        teaching.wait_for_timeout(250)
        shutter.press(key) if key else shutter.dispatch_event("click")
        teaching.get_by_text(f"{count} taken").wait_for()
    teaching.keyboard.press("Escape")
    card(teaching, 1).get_by_text("3 pictures").wait_for()
    card(teaching, 1).locator(".thumbs button").first.click()
    kept = teaching.locator("#enlarged img")
    size = "(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    assert kept.evaluate(size) == seen


def test_where_it_looks_is_said_to_be_computed_at_once(page, server, faces):
    held = []
    page.route("**/v1/explain?*", lambda route: held.append(route))
    open_page(page, server.url)
    page.locator("#files").set_input_files(faces / "cat.0.jpg")
    button = page.get_by_role("button", name="Where does it look?")
    button.wait_for()
    words = button.evaluate("(button) => { button.click(); return button.textContent; }")
    assert words == "Computing; the first time takes some seconds …"
    assert page.locator(".picture.busy").count() == 1
    page.allowed.append("409")
    while not held:
        page.wait_for_timeout(20)
    held[0].fulfill(status=409, json={"detail": "x", "code": "replaced"})
    page.get_by_text("The network was trained again since.").wait_for()
    assert page.locator(".picture.busy").count() == 0


def test_the_server_is_understood_in_the_readers_language(teaching, faces):
    teaching.locator("#language").select_option("de")
    teaching.locator("html[lang=de]").wait_for()
    answers = [
        {"status": 413, "json": {"detail": "too large"}},
        {"status": 200, "json": {"pictures": [
            {"file": "", "number": None, "error": "no room", "code": "disk_full"},
        ]}},
        {"status": 200, "json": {"pictures": [{"file": "", "number": None, "error": "is text"}]}},
    ]  # fmt: skip
    teaching.allowed.append("413")
    teaching.route("**/pictures?label=0", lambda route: route.fulfill(**answers.pop(0)))
    for words in ("zu groß", "Platte des Servers ist voll", "Kein lesbares Bild"):
        card(teaching, 1).locator("input[type=file]").set_input_files(faces / "cat.0.jpg")
        card(teaching, 1).get_by_text(words).wait_for()
    assert teaching.get_by_role("button", name="Bilder hinzufügen: Klasse 1").count() == 1


@pytest.mark.parametrize("theme, width", [("dark", 320), ("light", 768), ("light", 1280)])
def test_axe_finds_nothing_and_nothing_is_cut_at_any_width(page, server, faces, theme, width):
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, server.url)
    page.locator("#files").set_input_files(faces / "cat.0.jpg")
    page.locator(".prediction h2").wait_for()
    wide = "document.documentElement.scrollWidth"
    assert (violations(page), page.evaluate(wide)) == ([], width)
    page.get_by_role("tab", name="Teach it here").click()
    teach(page, 1, "cat", *pictures_of(faces, "cat"))
    card(page, 2).get_by_role("textbox").fill("cat")
    assert (violations(page), page.evaluate(wide)) == ([], width)
    card(page, 1).locator(".thumbs button").first.click()
    page.locator("#enlarged img").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Forget everything").click()
    assert violations(page) == []


@pytest.mark.parametrize("size", [(740, 360), (640, 400)])  # on its side; at 200%
def test_the_camera_fits_a_low_screen(teaching, size):
    width, height = size
    teaching.set_viewport_size({"width": width, "height": height})
    card(teaching, 1).get_by_role("button", name="Camera").click()
    teaching.wait_for_function("() => document.getElementById('video').videoWidth")
    dialog = teaching.get_by_role("dialog")
    for each in (dialog, *dialog.get_by_role("button").all()):
        box = each.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
    assert violations(teaching) == []
