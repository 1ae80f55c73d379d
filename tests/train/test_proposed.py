"""The proposals of a run where a recipe is missing or something in it is misspelt, and its words on usual values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import netspec
from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.pipeline import compile_loaded, compile_spec, load_source
from netspec.recipes.settings import WeightDecay
from netspec.syntax import STDIN, decode
from netspec.train.reading import read_data, recipe_of

NETWORKS = {
    "{images: {path: photos, size: 24}}": ("image: [N, 3, 24, 24]", "[flatten, {linear: 4}]"),
    "mnist": ("image: [N, 1, 28, 28]", "[flatten, {linear: 10}]"),
    "digits": ("image: [N, 1, 8, 8]", "[flatten, {linear: 10}]"),
    "breast_cancer": ("x: [N, 30]", "[{linear: 2}]"),
    "diabetes": ("x: [N, 10]", "[{linear: 1}]"),
    "{csv: {path: table.csv, target: NAME}}": ("x: [N, 7]", "[{linear: 1}]"),
    "{csv: {path: table.csv, target: NAME, classes: true}}": ("x: [N, 7]", "[{linear: 3}]"),
    "{text: {path: book.txt, length: 16}}": (
        "ids: {shape: [N, 16], dtype: int64}",
        "[{embedding: {num_embeddings: 30, embedding_dim: 4}}, {linear: 30}]",
    ),
    "{npz: {path: arrays.npz, target: NAME}}": ("x: [N, 2, 3, 4, 5]", "[flatten, {linear: 3}]"),
}


def spec_of(inputs: str, network: str, more: str = "") -> str:
    return f"netspec: 1\nname: net\ninputs: {{{inputs}}}\nnetwork: {network}\n{more}"


def graph_of(text: str) -> netspec.graph.Graph:
    return compile_loaded(load_source(decode(STDIN, text.encode())))


@pytest.mark.parametrize("data", NETWORKS)
def test_a_recipe_that_fits_is_proposed(data: str):
    with pytest.raises(UsageError) as found:
        recipe_of(graph_of(spec_of(*NETWORKS[data])))
    recipe = re.search(r"`(train: .*)`", str(found.value))
    assert recipe is not None
    assert f"{{data: {data}, " in recipe[1]
    graph = graph_of(spec_of(*NETWORKS[data], recipe[1]))
    assert graph.recipe is not None
    if not data.startswith("{"):
        read_data(graph)


def test_an_entry_of_the_zoo_is_copied_first():
    with pytest.raises(UsageError, match=r"take a copy, `netspec show resnet18 > my.yaml`, and add `train: {data: {im"):
        recipe_of(compile_spec("resnet18"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with a target of yes and no, and a spec that is trained on it."""
    rows = [f"{row},{row % 7},{'yes' if row % 3 else 'no'}" for row in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["age,income,bought", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "loss", "told"),
    [
        ("target: bought", "cross_entropy", "are classes by `csv: {…, classes: true}`"),
        ("target: bought", "mse", "`bought` is one of several classes? write `classes: true`"),
        ("target: bougth, classes: true", "cross_entropy", "did you mean `bought`?"),
        ("target: bought, classes: true, features: [age, incom]", "cross_entropy", "did you mean `income`?"),
        ("target: bought, classes: true, leave_out: [agee]", "cross_entropy", "did you mean `age`?"),
    ],
)
def test_what_is_wrong_with_a_table_is_led_on(
    keys: str, loss: str, told: str, table: Path, capsys: pytest.CaptureFixture[str]
):
    width = 1 if loss == "mse" else 2
    train = f"train: {{data: {{csv: {{path: t.csv, {keys}}}}}, loss: {loss}, optimizer: adam, epochs: 1}}\n"
    (table / "net.yaml").write_text(spec_of("x: [N, 2]", f"[{{linear: {width}}}]", train))
    assert main(["train", str(table / "net.yaml"), "--dry-run"]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("more", ["", ", weight_decay: 0", ", weight_decay: 0.3"])
def test_adamw_decays_by_torchs_default_unless_told_otherwise(more: str, capsys: pytest.CaptureFixture[str]):
    train = f"train: {{data: diabetes, loss: mse, optimizer: adamw, epochs: 1{more}}}\n"
    recipe = recipe_of(graph_of(spec_of("x: [N, 10]", "[{linear: 1}]", train)))
    usual = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).defaults["weight_decay"]
    assert recipe.weight_decay == WeightDecay(value=float(more.rpartition(" ")[2]) if more else usual)


def test_a_run_says_what_decays_and_how_many_images_there_are(capsys: pytest.CaptureFixture[str]):
    optimizer = ["--set", "train.optimizer=adamw"]
    assert main(["train", "mlp", *optimizer, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "adamw 0.001, weight decay 0.01" in told
    assert "5,000 of MNIST's 70,000 images" in told


@pytest.mark.parametrize(("augment", "told"), [("", ""), (", augment: horizontal_flip", ", not augmented")])
def test_the_rows_of_a_recipe_say_that_they_are_not_augmented(augment: str, told: str, tmp_path: Path):
    train = f"train: {{data: digits, loss: cross_entropy, optimizer: adam, epochs: 1{augment}}}\n"
    (tmp_path / "net.yaml").write_text(spec_of(*NETWORKS["digits"], train))
    splits = netspec.load(tmp_path / "net.yaml").data()
    assert repr(splits.train).endswith(f"rows{told}>")
    assert repr(splits.validation or splits.train).endswith("rows>") or not splits.validation
