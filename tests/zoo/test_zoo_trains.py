"""The networks of the zoo that train do, on the data that their specs name, to the results that are promised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from netspec.pipeline import compile_spec, read_value
from netspec.train.folder import RunFolder
from netspec.train.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup, read_data


def trained(folder: Path, name: str, data: str = "", **params: object) -> tuple[Setup, dict[str, dict[str, float]]]:
    """A network after its run, and its scores. ``data`` names other data of the same form."""
    overrides = {**params, **({"train.data": read_value("train.data", data)} if data else {})}
    graph = compile_spec(name, overrides=overrides)
    folder.mkdir(exist_ok=True)
    setup = Setup(graph, read_data(graph), torch.device("cpu"))
    return setup, Run(setup, RunFolder(folder), Plain(0), print).go().scores


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("lenet", 0.87),
        ("lenet_modern", 0.945),
        ("lenet_batch_norm", 0.95),
        ("softmax_regression", 0.86),
        ("mlp", 0.92),
        ("mlp2", 0.92),
        ("mlp_dropout", 0.93),
    ],
)
def test_digits_are_read(tmp_path: Path, name: str, least: float):
    _, scores = trained(tmp_path, name)
    assert scores["test"]["accuracy"] >= least


def test_the_perceptron_finds_a_line_where_there_is_one(tmp_path: Path):
    assert trained(tmp_path / "line", "perceptron")[1]["train"]["accuracy"] == 1.0
    assert trained(tmp_path / "xor", "perceptron", "{logic: xor}")[1]["train"]["accuracy"] < 1.0


def test_xor_is_solved_by_one_hidden_layer(tmp_path: Path):
    assert trained(tmp_path, "xor")[1]["train"]["accuracy"] == 1.0


def test_the_edge_detector_learns_one_and_minus_one(tmp_path: Path):
    setup, _ = trained(tmp_path, "edge_detector")
    (weight,) = setup.model.parameters()
    assert weight.flatten().tolist() == pytest.approx([1, -1], abs=1e-2)


def test_linear_regression_finds_the_weights(tmp_path: Path):
    setup, _ = trained(tmp_path, "linear_regression")
    weight, bias = setup.model.parameters()
    assert [*weight.flatten().tolist(), bias.item()] == pytest.approx([2, -3.4, 4.2], abs=0.02)


def test_a_polynomial_underfits_fits_and_overfits(tmp_path: Path):
    of = {name: trained(tmp_path / name, name)[1] for name in ("polynomial1", "polynomial", "polynomial19")}
    train, test = ({name: scores[part]["loss"] for name, scores in of.items()} for part in ("train", "test"))
    assert train["polynomial1"] > 10 * train["polynomial"] > 10 * 0.5 * train["polynomial19"]
    assert 2 * test["polynomial"] < min(test["polynomial1"], test["polynomial19"])


def test_five_folds_of_breast_cancer(tmp_path: Path):
    graph = compile_spec(Path(__file__).parents[2] / "examples/breast_cancer.yaml")
    data, found = read_data(graph), []
    for fold in range(5):
        (tmp_path / str(fold)).mkdir()
        setup = Setup(graph, data, torch.device("cpu"), fold)
        found.append(Run(setup, RunFolder(tmp_path / str(fold)), Plain(0), print).go())
    assert sum(each.scores["validation"]["accuracy"] for each in found) / 5 >= 0.96
    assert {each.state.best_epoch for each in found} == {30}  # no fold chooses among the epochs that it judges
