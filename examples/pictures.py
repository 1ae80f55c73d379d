"""Draws the pictures that the README shows.

python examples/pictures.py     (the explorer's needs Chromium, and `pip install playwright`)
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

import netspec

folder = Path(__file__).with_name("pictures")
for name in ("lenet", "resnet18", "googlenet"):
    print(netspec.load(name).diagram(folder / f"{name}.svg"))

with TemporaryDirectory() as place, sync_playwright() as playwright:
    address = netspec.load("resnet18").explorer(Path(place) / "resnet18.html").as_uri()
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.locator('#heat button[value="macs"]').click()
    page.locator('#drawing [data-spot="layer1.0.conv1"]').hover()
    page.wait_for_timeout(500)
    page.screenshot(path=folder / "explorer.png")
    browser.close()
    print(folder / "explorer.png")
