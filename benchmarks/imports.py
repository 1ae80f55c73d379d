"""Which models of torchvision, timm and Hugging Face `netspec import` brings in: a table, made by a command.

    python benchmarks/imports.py torchvision timm transformers   # one model of every family; --all: every one
    python benchmarks/imports.py --one torchvision:resnet18      # one of them, with its text

Each model is imported in a process of its own: its spec is compiled, takes the original's weights with `strict=True`,
and is compared with the original at several sizes. The table says how long the text is and how far outputs differ, or
why not. No extra of netspec brings the libraries: those that are named have to be installed (tried with timm 1.0.31).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tiny_transformers import TRANSFORMERS

from netspec.runtime.vision import import_torchvision

TIMEOUT = 300
SMALL = 30_000_000


def main() -> None:
    """Print the table, or one model's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"some of {', '.join(LIBRARIES)}")
    parser.add_argument("--all", action="store_true", help="every model, not one of each family")
    parser.add_argument("--one", metavar="LIBRARY:MODEL", help="this model alone, with its text")
    parser.add_argument("-o", "--output", metavar="FILE", help="also write the rows to a file, as a table in Markdown")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(import_one(options.one, show=sys.stderr)))
        return
    rows = []
    for library in options.libraries or LIBRARIES:
        names = LIBRARIES[library].names(options.all)
        found = [row_of(f"{library}:{name}") for name in names]
        rows += found
        good = sum(row["ok"] for row in found)
        print(f"{library}: {good} of {len(found)} come in, {100 * good / max(len(found), 1):.0f} %\n")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(markdown(rows))


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table: a model, the lines of its text, how far outputs differ, or why it stays out."""
    lines = ["| model | lines | difference | |", "| :-- | --: | --: | :-- |"]
    for row in rows:
        reason = "" if row["ok"] else " ".join(str(row["reason"]).split())[:160].replace("|", "\\|")
        lines.append(f"| {row['model']} | {row.get('lines', '')} | {row['worst'] if row['ok'] else ''} | {reason} |")
    return "\n".join(lines) + "\n"


def row_of(model: str) -> dict[str, Any]:
    """Return what became of a model, which another process imports; print it as a line."""
    command = [sys.executable, __file__, "--one", model]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        row = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        row = {"model": model, "ok": False, "reason": f"not within {TIMEOUT} s"}
    except (IndexError, json.JSONDecodeError):
        row = {
            "model": model,
            "ok": False,
            "reason": done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"],
        }
    told = f"{row['lines']:4} lines  {row['worst']:.0e}" if row["ok"] else f"—  {row['reason']}"
    print(f"{model:44} {told}", flush=True)
    return row


def import_one(model: str, show: Any = None) -> dict[str, Any]:
    """Import a model in this process; return the row of the table."""
    import torch

    import netspec

    import_torchvision()
    library, _, name = model.partition(":")
    started = time.time()
    try:
        torch.manual_seed(0)
        module, inputs, dynamic = LIBRARIES[library].make(name)
        spec = netspec.from_torch(module.eval(), inputs, dynamic)
    except netspec.NetspecError as reason:
        return {"model": model, "ok": False, "reason": str(reason)}
    print(spec.text, *spec.notes, sep="\n", file=show)
    proof = spec.proof
    assert proof is not None
    row = {"model": model, "ok": proof.holds, "lines": spec.text.count("\n"), "worst": proof.worst}
    reason = f"differs by {proof.worst:.1e}" if proof.trials else "; ".join([*proof.missing[:2], *proof.refused[:1]])
    return row | {"seconds": time.time() - started, "left_out": len(proof.left_out), "reason": reason}


Made = tuple[Any, Mapping[str, Any], Mapping[str, Mapping[int, str]]]


class Library:
    """Where models come from: ``names`` lists them, ``make`` gives a module, its inputs and their symbolic sizes."""

    def __init__(self, names: Callable[[bool], list[str]], make: Callable[[str], Made]):
        self.names, self.make = names, make


def torchvision_names(every: bool) -> list[str]:
    """All that torchvision registers for images and videos, without detectors, whose outputs have no fixed size."""
    import_torchvision()
    from torchvision import models

    rooms = (models, models.segmentation, models.video)
    names = [name for room in rooms for name in models.list_models(module=room)]
    smallest = sorted(names, key=lambda name: models.get_model_weights(name).DEFAULT.meta["num_params"])
    return names if every else [*_firsts(smallest)]


def torchvision_model(name: str) -> Made:
    """A model with random weights and an image, or a short video."""
    import torch
    from torchvision import models

    known = dict(weights=None)
    if name in models.list_models(module=models.segmentation):
        known["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        known["init_weights"] = False  # type: ignore[assignment]
    module = models.get_model(name, **known)
    first = next(iter(__import__("inspect").signature(module.forward).parameters))
    video = name in models.list_models(module=models.video)
    shape = (2, 3, 16 if name.startswith("mvit") else 8, 112, 112) if video else (2, 3, 224, 224)
    if video and name.startswith(("mvit", "swin", "s3d")):
        shape = (2, 3, 16, 224, 224)
    if name == "inception_v3":
        shape = (2, 3, 299, 299)
    return module, {first: torch.randn(shape)}, {first: {0: "N"}}


def timm_names(every: bool) -> list[str]:
    """The first small model of each of timm's families."""
    import torch

    import_torchvision()
    import timm

    names = []
    for family in timm.list_modules():
        for name in sorted(timm.list_models(module=family), key=lambda name: (len(name), name)):
            with torch.device("meta"):
                try:
                    count = sum(each.numel() for each in timm.create_model(name).parameters())
                except Exception:  # some cannot be made on `meta`, and others are as good
                    continue
            if count < SMALL:
                names.append(name)
                if not every:
                    break
    return names


def timm_model(name: str) -> Made:
    """A model with random weights and an image of its own size."""
    import timm
    import torch

    module = timm.create_model(name)
    size = module.default_cfg.get("input_size", (3, 224, 224)) if hasattr(module, "default_cfg") else (3, 224, 224)
    first = next(iter(__import__("inspect").signature(module.forward).parameters))
    return module, {first: torch.randn(2, *size)}, {first: {0: "N"}}


def transformers_names(every: bool) -> list[str]:
    """All of the table: each is of an architecture of its own."""
    return list(TRANSFORMERS)


def transformers_model(name: str) -> Made:
    """A tiny model with random weights, and its inputs."""
    import torch
    import transformers

    config, kind, sizes, reads = TRANSFORMERS[name]
    module = getattr(transformers, kind)(getattr(transformers, config)(**sizes))
    ids = torch.randint(3, 99, (2, 9))
    inputs: dict[str, Any] = {
        "text": {"input_ids": ids},
        "pairs": {"input_ids": ids, "decoder_input_ids": torch.randint(3, 99, (2, 7))},
        "speech": {"input_features": torch.randn(2, 16, 40), "decoder_input_ids": torch.randint(3, 99, (2, 7))},
        "wave": {"input_values": torch.randn(2, 400)},
        "image": {"pixel_values": torch.randn(2, 3, sizes.get("image_size", 64), sizes.get("image_size", 64))},
    }[reads]
    dynamic = {key: {0: "N"} for key in inputs}
    if reads == "text":
        dynamic["input_ids"][1] = "T"
    return module, inputs, dynamic


def _firsts(names: list[str]) -> Iterator[str]:
    """The first name of each family: ``vgg11`` of ``vgg11``, ``vgg13_bn``, …"""
    seen = set()
    for name in names:
        family = re.sub(r"(_?\d.*|_(tiny|small|base|large|big|nano|[tsblmxh])(_.*)?)$", "", name)
        if family not in seen:
            seen.add(family)
            yield name


LIBRARIES = {
    "torchvision": Library(torchvision_names, torchvision_model),
    "timm": Library(timm_names, timm_model),
    "transformers": Library(transformers_names, transformers_model),
}

if __name__ == "__main__":
    main()
