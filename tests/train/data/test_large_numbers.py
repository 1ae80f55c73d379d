"""Numbers far from 0 keep the digits that tell them apart until they are standardized, from whichever file."""

import numpy as np
import pytest
import torch

from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.train.beforehand import cautions
from netspec.train.data import TensorRows
from netspec.train.data.batches import prepare_transforms
from netspec.train.reading import read_data
from netspec.train.setup import Setup
from netspec.train.torch_datasets import read_splits

SPEC = """\
netspec: 1
name: late
inputs: {features: [N, 2]}
network: [linear: 2]
train: {data: DATA, prepare: standardize, loss: cross_entropy, optimizer: sgd, epochs: 1}
"""
TIMES = 1_700_000_000 + 10 * np.arange(8)
FEATURES = np.stack([TIMES, np.linspace(0, 1, 8)], 1)
LABELS = np.arange(8) % 2


def write(folder, kind):
    """A data set of a kind, as the spec names it."""
    match kind:
        case "csv":
            lines = [f"{int(t)},{x},{y}" for (t, x), y in zip(FEATURES, LABELS)]
            (folder / "t.csv").write_text("\n".join(["t,x,y", *lines]))
            return "{csv: {path: t.csv, target: y, classes: true}}"
        case "parquet":
            arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
            parquet.write_table(arrow.table({"t": TIMES, "x": FEATURES[:, 1], "y": LABELS}), folder / "t.parquet")
            return "{parquet: {path: t.parquet, target: y, classes: true}}"
        case "npz":
            np.savez(folder / "t.npz", features=FEATURES, y=LABELS)
            return "{npz: t.npz}"


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_seconds_since_1970_are_standardized_with_all_their_digits(tmp_path, kind):
    (tmp_path / "s.yaml").write_text(SPEC.replace("DATA", write(tmp_path, kind)))
    found = read_splits(compile_spec(tmp_path / "s.yaml")).train[:][0]
    assert found.dtype == torch.float32
    wanted = (FEATURES - FEATURES.mean(0)) / FEATURES.std(0)
    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_a_single_row_is_prepared_as_it_was_among_the_others(tmp_path):
    column = {"t": Column((1,))}
    recipe = compile_spec_of(tmp_path).recipe
    rows = torch.from_numpy(TIMES.astype(np.float64))[:, None]
    (standardize,) = prepare_transforms(recipe.prepare, column, TensorRows({"t": rows}), torch.arange(8))
    whole = standardize.changes["t"](rows)
    for row in range(8):
        assert standardize.changes["t"](rows[row : row + 1]).equal(whole[row : row + 1])


def compile_spec_of(folder):
    (folder / "s.yaml").write_text(SPEC.replace("DATA", write(folder, "npz")))
    return compile_spec(folder / "s.yaml")


def test_without_standardize_it_is_told(tmp_path):
    (tmp_path / "s.yaml").write_text(SPEC.replace("DATA", write(tmp_path, "npz")).replace("prepare: standardize, ", ""))
    graph = compile_spec(tmp_path / "s.yaml")
    (note,) = cautions(Setup(graph, read_data(graph), torch.device("cpu")))
    told = "`features` has numbers so large that float32 cannot distinguish them: `prepare: standardize` helps"
    assert note == told


def test_what_is_always_the_same_becomes_0(tmp_path):
    np.savez(tmp_path / "t.npz", features=np.stack([np.full(8, 1_700_000_001.0), np.full(8, 0.1)], 1), y=LABELS)
    (tmp_path / "s.yaml").write_text(SPEC.replace("DATA", "{npz: t.npz}"))
    assert read_splits(compile_spec(tmp_path / "s.yaml")).train[:][0].abs().max() < 1e-6


def test_ordinary_numbers_take_no_more_memory(tmp_path):
    np.savez(tmp_path / "t.npz", features=np.random.default_rng(0).normal(20, 3, (8, 2)), y=LABELS)
    (tmp_path / "s.yaml").write_text(SPEC.replace("DATA", "{npz: t.npz}"))
    assert read_data(compile_spec(tmp_path / "s.yaml")).train.tensors["features"].dtype == torch.float32
