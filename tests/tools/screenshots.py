"""Take the pictures of README and docs anew: python -m tests.tools.screenshots DIR

In DIR it runs the demo, and serves the starter; then docs/{demo,report,serve}.png are what a reader
of README.md sees: the demo in a terminal, its report, and the page, each also on a phone.
"""

from __future__ import annotations

import argparse
import base64
import io
import subprocess
from html import escape
from pathlib import Path

from PIL import Image

from alexnet_tf.system import children
from tests.support.browser import browsing
from tests.support.places import ROOT
from tests.support.serving import serving

QUICK = ("--help",)
SECONDS = 60_000  # milliseconds
DESKTOP, PHONE = {"width": 1100, "height": 1200}, {"width": 360, "height": 1200}
GAP = 24
ASKED = ("cat.116", "cat.179", "cat.80", "dog.135", "dog.195")
TERMINAL = """<meta charset=utf-8><style>
body { margin: 0; width: 800px; background: #1e2530; color: #e8ecf1; font: 14px monospace }
main { padding: 22px } pre { margin: 0; line-height: 24px }
b { color: #e0a85a; font-weight: normal }
i, figcaption { color: #7fd8b5; font-style: normal } figure { margin: 0; width: 142px }
section { display: flex; gap: 12px; margin-top: 14px } img { width: 142px; border-radius: 6px }
figcaption { text-align: center; font-size: 21px; margin-top: 4px }
</style><main>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", metavar="DIR")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        for name, draw in (("demo", terminal), ("report", report), ("serve", page)):
            image = draw(browser, options.folder.resolve()).convert("RGB").quantize(256)
            image.save(options.out / f"{name}.png", optimize=True)


def terminal(browser, folder: Path) -> Image.Image:
    """Run the demo in `folder`, and draw what it and a prediction print."""
    said = typed(folder, "demo").splitlines()
    epochs = [line for line in said if line.startswith("epoch ")]
    ended = next(line for line in said if "model.keras: the network of" in line)
    files = [f"demo/photos/{name}.jpg" for name in ASKED]
    found = typed(folder, "predict", "2", *files, "--run", "demo/run").splitlines()
    lines = [
        "<b>$</b> make demo", "…", *map(escape, (epochs[0], epochs[1])), "…", escape(epochs[-1]),
        f"<i>{escape(ended)}</i>", "",
        f"<b>$</b> python predict_alexnet.py 2 {files[0]} … --run demo/run",
        *("{:26} <i>{}</i>".format(*line.split("\t")) for line in found),
    ]  # fmt: skip
    figures = "".join(
        f"<figure><img src={embedded(folder / path)}><figcaption>{label}</figcaption></figure>"
        for path, label in (line.split("\t") for line in found)
    )
    opened = browser.new_page(viewport={"width": 800, "height": 100})
    text = "\n".join(lines)
    opened.set_content(f"{TERMINAL}<pre>{text}</pre><section>{figures}</section></main>")
    return shot(opened, full_page=True)


def typed(folder: Path, *words: str) -> str:
    """Run a verb in `folder`; return what it prints."""
    command = children.python("-m", "alexnet_tf", *words)
    return subprocess.run(
        **command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE, stderr=None
    ).stdout


def embedded(path: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"


def report(browser, folder: Path) -> Image.Image:
    """Show the report of the demo's run, also on a phone."""
    address = (folder / "demo/run/report.html").as_uri()
    wide = browser.new_page(viewport=DESKTOP)
    wide.goto(address)
    narrow = browser.new_page(viewport=PHONE, color_scheme="dark")
    narrow.goto(address)
    return beside(shot(wide), shot(narrow))


def page(browser, folder: Path) -> Image.Image:
    """Predict a cat and a dog in the served page, and teach two classes on a phone."""
    photos = folder / "demo/photos"
    with serving(folder, "starter") as server:
        wide = browser.new_page(viewport=DESKTOP, locale="en")
        wide.set_default_timeout(SECONDS)
        wide.goto(server.url)
        wide.locator("body[data-ready]").wait_for()
        wide.locator("#files").set_input_files([photos / "cat.2.jpg", photos / "dog.3.jpg"])
        second = wide.locator(".prediction").nth(1)
        second.get_by_role("button", name="Where does it look?").click()
        second.locator("figure img").nth(1).wait_for()
        narrow = browser.new_page(viewport=PHONE, color_scheme="dark", locale="en")
        narrow.set_default_timeout(SECONDS)
        narrow.goto(f"{server.url}/#teach")
        narrow.locator("body[data-ready]").wait_for()
        for number, label in enumerate(("cat", "dog")):
            card = narrow.locator(".class").nth(number)
            card.get_by_role("textbox").fill(label)
            files = [photos / f"{label}.{number}.jpg" for number in range(24)]
            card.locator("input[type=file]").set_input_files(files)
            card.locator(".thumbs button").nth(23).wait_for()
        narrow.locator("#train").click()
        narrow.locator("#try").wait_for()
        narrow.evaluate("scrollTo(0, 0)")
        return beside(shot(wide), shot(narrow))


def shot(opened, **options: object) -> Image.Image:
    return Image.open(io.BytesIO(opened.screenshot(animations="disabled", **options)))


def beside(*images: Image.Image) -> Image.Image:
    """Put pictures next to each other, from the top."""
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    whole = Image.new("RGB", (width, max(image.height for image in images)), "#cfd6e2")
    left = 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width + GAP
    return whole


if __name__ == "__main__":
    main()
