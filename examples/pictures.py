"""Draws the pictures that the README shows.

python examples/pictures.py
"""

from pathlib import Path

import netspec

folder = Path(__file__).with_name("pictures")
for name in ("lenet", "resnet18", "googlenet"):
    print(netspec.load(name).diagram(folder / f"{name}.svg"))
