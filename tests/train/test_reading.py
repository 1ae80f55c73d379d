"""Networks that start from the weights of a run: its words, letters and classes keep their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image

from netspec.cli import main
from netspec.graph import Graph
from netspec.pipeline import Origin, load_spec
from netspec.train.data import Data
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.reading import read_data

WRITER = """\
netspec: 1
name: writer
params: {vocab: 14}
inputs: {tokens: {shape: [N, T], dtype: int64}}
network:
  - embedding: {name: embedding, num_embeddings: vocab, embedding_dim: 4}
  - gru: 4
  - linear: {name: head, out_features: vocab}
train: {data: {text: {path: a.txt, length: 5}}, loss: cross_entropy, optimizer: adam, epochs: 1, devices: cpu}
"""
PICTURES = """\
netspec: 1
name: pictures
params: {classes: 3}
inputs: {image: [N, 3, 4, 4]}
network: [flatten, {linear: {name: hidden, out_features: 4}}, {linear: {name: head, out_features: classes}}]
train: {data: {images: one}, loss: cross_entropy, optimizer: adam, epochs: 1, devices: cpu}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("writer.yaml").write_text(WRITER)
    Path("pictures.yaml").write_text(PICTURES)
    Path("a.txt").write_text("abcdeabcabab" * 5)
    assert main(["train", "writer.yaml"]) == 0
    return tmp_path


def graph_of(spec: str, keys: Mapping[str, object], *recipe: str) -> Graph:
    loaded, values = load_spec(spec), [*(f"{key}={each}" for key, each in keys.items())]
    return Origin(loaded, None, (*values, *(f"train.{each}" for each in recipe))).graph()


def started(text: str, weights: str = "runs/writer/1", **keys: object) -> Data:
    """The data of a writer that goes on with another text, from the weights of the first one."""
    Path("b.txt").write_text(text)
    return read_data(graph_of("writer.yaml", keys, f"weights={weights}", "data.text.path=b.txt"))


def spelled(data: Data) -> str:
    return "".join(data.words["tokens"][number] for number in data.train.tensors["tokens"].flatten().tolist())


def test_letters_of_a_run_keep_their_numbers(folder: Path) -> None:
    (run,) = TrainedRun.find("runs/writer/1")
    known = run.meaning().words["tokens"]
    assert known == ("<unk>", "a", "b", "c", "d", "e")
    for source in ("runs/writer/1", "runs/writer/last", "runs/writer/1/best.safetensors", "last"):
        data = started("eeeeeddddccaaa" * 3, source)
        assert data.words["tokens"] == data.words["next"] == known
        assert spelled(data) == ("eeeeeddddccaaa" * 3)[:40]
        assert data.notes == ()
    assert started("eeeeedddd" * 3, "{from: runs/writer/1, skip: [embedding, head]}").words["tokens"] == (
        "<unk>",
        "e",
        "d",
    )


def test_letters_that_are_new_come_after_those_of_the_run_and_are_told(folder: Path, capsys) -> None:
    data = started("zzzyabc\n" * 4)
    assert data.words["next"] == ("<unk>", *"abcde", "z", "\n", "y")
    assert data.columns["next"].classes == 9
    assert spelled(data) == ("zzzyabc\n" * 4)[:30]
    told = "3 characters new to runs/writer/1, which has learned nothing of them: `z`, `\\n`, `y` (from number 6 on)"
    assert data.notes == (told,)
    arguments = ["--set", "train.data.text.path=b.txt", "--weights", "runs/writer/1"]
    assert main(["train", "writer.yaml", *arguments]) == 0
    assert told in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert json.loads(Path("runs/writer/2/data.json").read_text())["words"]["tokens"][6:] == ["z", "\n", "y"]
    assert main(["train", "--resume", "runs/writer/2", "--set", "train.epochs=2"]) == 0


def test_a_network_without_room_for_new_letters_is_told_which(folder: Path, capsys) -> None:
    Path("b.txt").write_text("zyxwvutsrabc" * 4)
    arguments = ["--set", "train.data.text.path=b.txt", "--weights", "runs/writer/1"]
    assert main(["train", "writer.yaml", *arguments]) == 1
    told = capsys.readouterr().err
    assert "9 characters of the data are new to runs/writer/1, which has 6, and the network takes 14: `r`, `s`" in told
    assert (
        "or make room for 15 and let the layers with a row for each start anew: `skip: [embedding.*, head.*]`" in told
    )
    anew = "{from: runs/writer/1, skip: [embedding.*, head.*]}"
    assert main(["train", "writer.yaml", *arguments[:2], "--weights", anew, "--set", "vocab=15"]) == 0
    assert started("zyxwvutsrabc" * 4, anew, vocab=15).words["tokens"][1:4] == ("a", "b", "c")


def test_a_text_with_more_letters_than_the_network_takes(folder: Path, capsys) -> None:
    assert main(["train", "writer.yaml", "--set", "vocab=5"]) == 1
    assert (
        "the embedding and the last layer need 6 rows, one for each word or character of the data"
        in capsys.readouterr().err
    )


def test_classes_of_a_run_keep_their_numbers(folder: Path, capsys) -> None:
    for root, classes in {"one": "abc", "two": "ac", "other": "cde"}.items():
        for number, name in enumerate(classes):
            Path(root, name).mkdir(parents=True)
            Image.new("RGB", (4, 4), (90 * number, 0, 0)).save(Path(root, name, "x.png"))
    assert main(["train", "pictures.yaml"]) == 0

    def read(root: str, weights: str, **keys: int) -> Data:
        return read_data(graph_of("pictures.yaml", keys, f"weights={weights}", f"data={{images: {root}}}"))

    data = read("two", "runs/pictures/1")
    assert data.words["label"] == ("a", "b", "c")
    assert torch.equal(data.train.tensors["label"], torch.tensor([0, 2]))
    data = read("other", "runs/pictures/1")
    assert data.words["label"] == ("c", "d", "e")
    assert data.notes[0].startswith("`label` has other classes than runs/pictures/1, where they are `a`, `b`, `c`: ")
    assert read("two", "{from: runs/pictures/1, skip: head}", classes=2).words["label"] == ("a", "c")


TABLE = """\
netspec: 1
name: table
inputs: {features: [N, 3]}
network: [linear: 1]
train: {data: {csv: {path: a.csv, target: y}}, prepare: standardize, loss: mse, optimizer: adam, epochs: 2}
"""


def written(*columns: str, rows: int = 12) -> str:
    """A table with numbers that depend on the column alone, in the order of the columns."""
    lines = [",".join(str((ord(name) * (at + 3)) % 17) for name in columns) for at in range(rows)]
    return "\n".join([",".join(columns), *lines]) + "\n"


def test_columns_of_a_table_are_in_the_order_of_the_run(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.yaml").write_text(TABLE)
    Path("a.csv").write_text(written("a", "b", "c", "y"))
    Path("b.csv").write_text(written("c", "y", "a", "b"))
    Path("other.csv").write_text(written("c", "y", "a", "d"))
    assert main(["train", "table.yaml"]) == 0
    same, swapped = (
        read_data(graph_of("table.yaml", {}, "weights=runs/table/1", f"data.csv.path={file}"))
        for file in ("a.csv", "b.csv")
    )
    assert swapped.names == same.names == {"features": ("a", "b", "c")}
    assert swapped.table == same.table
    assert swapped.train.tensors["features"].equal(same.train.tensors["features"])
    assert same.notes == ()
    assert swapped.notes == ("features in the order of runs/table/1, which the weights are from",)
    (told,) = read_data(graph_of("table.yaml", {}, "weights=runs/table/1", "data.csv.path=other.csv")).notes
    assert told == "`features` of the data are `c`, `a`, `d`, and runs/table/1 has learned `a`, `b`, `c`, in this order"
    assert main(["train", "table.yaml", "--weights", "runs/table/1", "--set", "train.data.csv.path=b.csv"]) == 0
    assert main(["train", "--resume", "runs/table/2", "--set", "train.epochs=3"]) == 0
    assert "features in the order of runs/table/1" in capsys.readouterr().out
    assert main(["predict", "runs/table/2", "a.csv"]) == 0
    answers = capsys.readouterr().out.replace("a.csv", "b.csv")
    assert main(["predict", "runs/table/2", "b.csv"]) == 0
    assert capsys.readouterr().out == answers
