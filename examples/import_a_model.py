"""A model of torchvision as a spec: its text, its table, and what an edited copy of it changes.

python examples/import_a_model.py
"""

from pathlib import Path

import torch
from torchvision.models import resnet18

import netspec
from netspec.cli import main

spec = netspec.from_torch(resnet18(), {"x": torch.randn(2, 3, 64, 64)}, {"x": {0: "N"}})  # in a notebook: the table
print(spec.text)
print(f"\nIt computes what torchvision's does, {spec.proof.text()}")
print(spec.model.shapes())

folder = Path("build/import_a_model")
first = spec.write(folder / "resnet18.yaml")
edited = folder / "edited.yaml"
edited.write_text(spec.text.replace("classes: 1000", "classes: 10").partition("\nexpect:")[0] + "\n")
main(["diff", str(first), str(edited)])  # the classifier alone, and its two keys
