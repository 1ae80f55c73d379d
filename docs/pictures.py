"""Draws the pictures that the README and compare.md show.

python docs/pictures.py         (those of pages need Chromium, and `pip install playwright`; without, they are left out)
python docs/pictures.py compare                            trains what compare.md compares, in about five minutes
"""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import netspec

FOLDER = Path(__file__).with_name("pictures")


def diagrams() -> None:
    for name in ("lenet", "resnet18", "resnet152", "googlenet", "gpt2", "transformer"):
        print(netspec.load(name).diagram(FOLDER / f"{name}.svg"))
    residual = FOLDER.parents[1] / "examples" / "residual.yaml"
    print(netspec.load(residual).diagram(FOLDER / "residual.svg"))


def pages() -> None:
    """Draw the explorer of a network, and the page of a difference."""
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(netspec.load("resnet18").explorer(Path(place) / "resnet18.html").as_uri())
        page.locator('#heat button[value="macs"]').click()
        page.locator('#drawing [data-spot="layer1.0.conv1"]').hover()
        page.wait_for_timeout(500)
        page.screenshot(path=FOLDER / "explorer.png")
        print(FOLDER / "explorer.png")

        difference = Path(place) / "diff.html"
        command = [sys.executable, "-m", "netspec", "diff", "resnet18", "resnet50", "-o", str(difference)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        page.goto(difference.as_uri())
        page.locator("#next").click(click_count=3)
        page.wait_for_timeout(500)
        page.screenshot(path=FOLDER / "diff.png")
        print(FOLDER / "diff.png")
        browser.close()


def comparisons() -> None:
    """Run the commands of compare.md, and keep the picture that stands below each of them."""
    from PIL import Image

    page = FOLDER.with_name("guides") / "compare.md".read_text(encoding="utf-8")
    for command, name in re.findall(r"```sh\n(.*?)```.*?\(\.\./pictures/(.*?)\)", page, re.DOTALL):
        with TemporaryDirectory() as place:
            (Path(place) / "examples").symlink_to(FOLDER.parents[1] / "examples")
            subprocess.run(command, shell=True, cwd=place, check=True)
            with Image.open(Path(place) / "runs/compare/1/compare.png") as drawn:
                drawn.quantize(64).save(FOLDER / name, optimize=True)
        print(FOLDER / name)


if "compare" in sys.argv:
    comparisons()
    sys.exit()
diagrams()
if find_spec("playwright") and shutil.which("chromium"):
    pages()
