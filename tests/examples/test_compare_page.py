"""The page on comparing: its commands run, and what it says of them is so."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from PIL import Image
from places import DOCS, EXAMPLES, GUIDES

from netspec.cli import main

pytestmark = pytest.mark.slow

PAGE = (GUIDES / "compare.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(text.replace("\\\n", " ")) for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
PICTURES = re.findall(r"\(\.\./pictures/(.*?)\)", PAGE)
SHORT = ["--set", "train.epochs=null", "--set", "train.steps=2"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each command says of each of its runs, by the picture that stands below it; after two steps."""
    place = tmp_path_factory.mktemp("page")
    (place / "examples").symlink_to(EXAMPLES)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for number, (command, picture) in enumerate(zip(COMMANDS, PICTURES, strict=True), 1):
            assert command[0] == "netspec"
            assert main([*command[1:], *SHORT]) == 0
            folder = place / f"runs/compare/{number}"
            found[picture.removeprefix("compare_").removesuffix(".png")] = json.loads(
                (folder / "compare.json").read_text()
            )
            with Image.open(folder / "compare.png") as drawn, Image.open(DOCS / "pictures" / picture) as kept:
                assert drawn.size == kept.size  # the page shows what the command draws
    return found


def verdicts(runs: dict[str, Any]) -> dict[str, str]:
    """What is out of hand in each run that has something, and where."""
    return {label: re.split(" they", run["verdict"])[0] for label, run in runs.items() if run["verdict"]}


def test_every_optimizer_takes_part(compared: dict[str, Any]):
    runs = compared["optimizers"]
    assert [re.split(r"\W", label)[0] for label in runs] == [
        *["sgd"] * 3, "adagrad", "rmsprop", "adam", "adamw", "adadelta", "lbfgs", "newton",
    ]  # fmt: skip
    assert all("scores" in run for run in runs.values())
    assert runs["newton"]["scores"]["train"]["loss"] < runs["sgd: 0.1"]["scores"]["train"]["loss"]


def test_only_without_shortcuts_gradients_explode_with_depth(compared: dict[str, Any]):
    assert verdicts(compared["shortcuts"]) == {"plain56": "gradients explode: at `conv1`"}


def test_fixed_spreads_do_not_last_through_twenty_layers(compared: dict[str, Any]):
    assert verdicts(compared["initialisations"]) == {
        "normal: 0.01": "gradients vanish: at `first.0`",
        "normal: 0.5": "activations explode: at `hidden.6.0`",
    }


def test_sigmoids_let_gradients_vanish(compared: dict[str, Any]):
    assert verdicts(compared["vanishing"]) == {"sigmoid": "gradients vanish: at `first.0`"}
    runs = compared["vanishing"]
    first, last = (runs["sigmoid"]["layers"][at]["gradient"] for at in (0, -1))
    assert 1e-11 < first / last < 1e-9
    assert [len(run["layers"]) for run in runs.values()] == [20] * 5


def test_the_deeper_the_smaller(compared: dict[str, Any]):
    runs = compared["depth"]
    assert verdicts(runs) == {f"depth {depth}": "gradients vanish: at `first.0`" for depth in (10, 20, 40)}
    shares = [run["layers"][0]["gradient"] / run["layers"][-1]["gradient"] for run in runs.values()]
    assert shares == sorted(shares, reverse=True)
