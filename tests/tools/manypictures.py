"""Measure the memory of the page's largest lesson: python -m tests.tools.manypictures

Chromium opens *Teach* and gets as many pictures as a lesson may have, in as many classes; then the
page is loaded again. Printed is the memory of its process.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.serving.training_sessions import MOST_CLASSES, MOST_PICTURES
from tests.support.browser import browsing
from tests.support.serving import serving_a_page

QUICK = ("--pictures", "4", "--classes", "2")
MILLISECONDS = 3_600_000
HAS = "(count) => document.querySelectorAll('.thumbs button').length === count"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=MOST_PICTURES)
    parser.add_argument("--classes", type=int, default=MOST_CLASSES)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(1200, 900), help="pixels (%(default)s)"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        serving_a_page(Path(name)) as server,
        browsing() as browser,
    ):
        folder = Path(name) / "pictures"
        write_pictures(folder, options.pictures, options.classes, options.size)
        page = browser.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(f"{server.url}/#teach")
        page.locator("body[data-ready]").wait_for()
        print(f"empty: {memory(browser)}")
        page.locator("#folder").set_input_files(folder)
        page.wait_for_function(HAS, arg=options.pictures)
        print(f"{options.pictures} pictures: {memory(browser)}")
        page.reload()
        page.wait_for_function(HAS, arg=options.pictures)
        for each in page.locator(".class").all():  # their thumbnails are fetched when they are seen
            each.scroll_into_view_if_needed()
            each.locator(".thumbs img").first.wait_for()
        print(f"loaded again: {memory(browser)}")


def write_pictures(folder: Path, count: int, classes: int, size: tuple[int, int]) -> None:
    """Write different JPEGs of this size into a folder for each class."""
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class {number % classes}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).resize(size).save(path)


def memory(browser) -> str:
    """Describe the memory of the browser's pages, now and at most."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    fields = ("VmRSS", "VmHWM")
    total = dict.fromkeys(fields, 0)
    for each in found:
        if each["type"] == "renderer":
            lines = Path(f"/proc/{each['id']}/status").read_text().splitlines()
            values = dict(line.split(":", 1) for line in lines)
            total = {field: total[field] + int(values[field].split()[0]) for field in fields}
    return f"{total['VmRSS'] / 1024:.0f} MB, at most {total['VmHWM'] / 1024:.0f} MB"


if __name__ == "__main__":
    main()
