"""Draws the pictures that the README shows.

python examples/pictures.py     (the explorer's needs Chromium, and `pip install playwright`; without, it is left out)
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import netspec

FOLDER = Path(__file__).with_name("pictures")


def diagrams() -> None:
    for name in ("lenet", "resnet18", "resnet152", "googlenet", "gpt2", "transformer"):
        print(netspec.load(name).diagram(FOLDER / f"{name}.svg"))


def explorer() -> None:
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as place, sync_playwright() as playwright:
        address = netspec.load("resnet18").explorer(Path(place) / "resnet18.html").as_uri()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.locator('#heat button[value="macs"]').click()
        page.locator('#drawing [data-spot="layer1.0.conv1"]').hover()
        page.wait_for_timeout(500)
        page.screenshot(path=FOLDER / "explorer.png")
        browser.close()
        print(FOLDER / "explorer.png")


diagrams()
if find_spec("playwright") and shutil.which("chromium"):
    explorer()
