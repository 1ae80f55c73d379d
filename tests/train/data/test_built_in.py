"""The data sets that come with netspec: how many rows, of what, and that they are what they were."""

from hashlib import sha256

import pytest
import torch
from train.data.reading import read

from netspec.recipes import ingredients
from netspec.recipes.data.built_in import MNIST, Alice, BreastCancer, Dates, Diabetes, Digits
from netspec.train.data.readers.built_in import FILES

ROWS = {
    MNIST(): (4000, 1000),
    Digits(): (1437, 360),
    BreastCancer(): (455, 114),
    Diabetes(): (353, 89),
    Alice(): (3471, 385),
    Dates(): (10_000, 2000),
}
SHA256 = {
    "alice.txt": "4cbce86540bcef439f901c89de486d295aa3848e8c4cbc911561054479e73960",
    "breast_cancer.npz": "cbd712cd9a13cb3e73c33d5710a2e343d43b3fb55cb2aebc0348c8a5ec92cdd6",
    "diabetes.npz": "daf169a76735557ba4a1e82983b6a084d9565c8b7a648ac0c9e843c01e6cf286",
    "digits.npz": "0884af6d127cf68260e2d6ed0b885ff5c90bde862f4e66b69044e3e65f2ee5c4",
    "mnist.npz": "7664c97140c773683706da7264c451ed7bb7b8d92d8a0aa93b6ca48c59d08964",
    "dates.tsv": "f5b8f3035d3e72fff50be7bf03b7a9aad9da8f3a6c8d5525333b91e01aceadce",
}


@pytest.mark.parametrize("data_set", ROWS, ids=lambda each: each.name)
def test_rows_and_columns_are_as_declared(data_set):
    data = read(data_set)
    assert (len(data.train), len(data.test)) == ROWS[data_set]
    assert data.columns == data_set.columns()
    for rows in (data.train, data.test):
        taken = rows.take(torch.tensor([0, len(rows) - 1]))
        assert {name: tuple(tensor.shape) for name, tensor in taken.items()} == {
            name: (2, *column.shape) for name, column in data.columns.items()
        }
        for name, column in data.columns.items():
            everything = rows.tensors[name]
            assert everything.dtype == (torch.uint8 if name == "image" else getattr(torch, column.dtype))
            assert column.classes is None or 0 <= everything.min() <= everything.max() < column.classes
    for name, words in data.words.items():
        assert len(words) == len(set(words)) == data.columns[name].classes


@pytest.mark.parametrize("data_set", [MNIST(), Digits(), BreastCancer()], ids=lambda each: each.name)
def test_each_class_is_as_frequent_in_both_parts(data_set):
    data = read(data_set)
    train, test = (part.tensors["label"].bincount() for part in (data.train, data.test))
    assert ((train / train.sum() - test / test.sum()).abs() < 0.01).all()
    if data_set.name == "mnist":
        assert train.tolist() == [400] * 10


@pytest.mark.parametrize("name", ["mnist", "digits", "diabetes"])
def test_no_row_of_the_test_is_in_training(name):
    data = read(ingredients("data")[name]())
    column = next(name for name, column in data.columns.items() if not column.target)
    train, test = ({row.numpy().tobytes() for row in part.tensors[column]} for part in (data.train, data.test))
    assert not train & test


def test_the_book_is_read_letter_by_letter():
    data = read(Alice(length=40))
    letters = data.words["tokens"]
    first = data.train.take(torch.tensor([1]))
    text, then = ("".join(letters[token] for token in first[name][0]) for name in ("tokens", "next"))
    assert text == "arroll the millennium fulcrum edition ch"
    assert then == "rroll the millennium fulcrum edition cha"


def test_dates_are_pairs_of_padded_texts():
    data = read(Dates())
    row = {name: tensor[0] for name, tensor in data.test.take(torch.tensor([3])).items()}
    texts = {
        name: "".join(f"{word} "[: len(word)] for word in (data.words[name][number] for number in row[name]))
        for name in ("source", "target", "next")
    }
    source, target, then = (texts[name].replace("<pad>", "") for name in ("source", "target", "next"))
    assert len(source) == row["lengths"]
    assert target.startswith("<bos>")
    assert then.endswith("<eos>")
    assert target.removeprefix("<bos>") == then.removesuffix("<eos>")
    line = (FILES / "dates.tsv").read_text("utf-8").splitlines()[10_003]
    assert line == f"{source}\t{then.removesuffix('<eos>')}"


def test_every_date_is_there_once():
    lines = (FILES / "dates.tsv").read_text("utf-8").splitlines()
    assert len(lines) == len({line.split("\t")[0] for line in lines}) == 12_000


def test_files_are_what_they_were_and_their_licences_are_said():
    told = (FILES / "README.md").read_text()
    for path in sorted(FILES.iterdir()):
        if path.suffix in (".npz", ".txt", ".tsv") and not path.name.startswith("LICENSE"):
            assert f"| `{path.name}` |" in told
            assert sha256(path.read_bytes()).hexdigest() == SHA256[path.name]
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 3_000_000
