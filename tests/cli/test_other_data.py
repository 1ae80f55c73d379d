"""A trained network meets other data: images, texts, pairs, arrays and a plugin's, and says what it does not know."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.plugins import add_plugin, clear_plugins
from netspec.train.data.readers.texts import split
from netspec.train.predict.answers import Predictor
from netspec.train.predict.trained_run import TrainedRun

COLOURS = {"cat": (250, 9, 9), "dog": (9, 250, 9), "fox": (9, 9, 250)}
PICTURES = """\
netspec: 1
name: pictures
inputs: {image: [N, 3, 4, 4]}
network: [flatten, linear: 3]
train: {data: {images: {path: animals, size: 4}}, loss: cross_entropy, optimizer: {adam: 0.05}, epochs: 8, batch: 6,
  prepare: standardize}
"""
WORDS = """\
netspec: 1
name: words
inputs: {tokens: {shape: [N, T], dtype: int64}}
network: [{embedding: {num_embeddings: 9, embedding_dim: 4}}, {linear: 9}]
train: {data: {text: {path: own.txt, length: 4, level: word}}, loss: cross_entropy, optimizer: {adam: 0.05}, steps: 30}
"""
FIXED = WORDS.replace("name: words", "name: fixed").replace("[N, T]", "[N, 4]").replace("steps: 30", "steps: 3")
PAIRS = """\
netspec: 1
name: both
inputs: {source: {shape: [N, S], dtype: int64}, target: {shape: [N, T], dtype: int64}}
network:
  - embedding: {name: read, from: source, num_embeddings: 12, embedding_dim: 4}
  - gru: {name: encoder, hidden_size: 6}
  - embedding: {name: written, from: target, num_embeddings: 12, embedding_dim: 4}
  - gru: {name: decoder, hidden_size: 6, h_0: encoder.h_n}
  - linear: {from: decoder.output, out_features: 12}
train: {data: {pairs: {path: own.tsv, least: 2}}, loss: cross_entropy, optimizer: {adam: 0.05}, steps: 10}
"""
ARRAYS = """\
netspec: 1
name: arrays
inputs: {x: [N, 1, 4, 4]}
network: [flatten, linear: 3]
train: {data: {npz: {path: own.npz, target: y}}, loss: cross_entropy, optimizer: {adam: 0.01}, steps: 5}
"""
REAL = ARRAYS.replace("arrays", "real").replace("own.npz", "real.npz")
PLUGIN = """\
netspec: 1
name: kinds
inputs: {x: [N, 2]}
network: [linear: 3]
train: {data: {kinds: abc}, loss: cross_entropy, optimizer: {adam: 0.1}, steps: 40}
"""
KINDS = '''\
from netspec.recipes.data.base import DataSet


class Kinds(DataSet):
    """Points of kinds that are called by letters."""

    name = "kinds"
    main = "letters"
    torch = "kinds_of_points.read"

    letters: str


def read(data_set, folder):
    import torch
    from netspec.recipes import Column
    from netspec.train.data import Data, TensorRows

    letters = data_set.letters
    label = torch.arange(30) % len(letters)
    place = torch.tensor([ord(letter) - ord("b") for letter in letters], dtype=torch.float32)[label]
    columns = {"x": Column((2,)), "y": Column((), "int64", len(letters), target=True)}
    rows = TensorRows({"x": torch.stack([place, -place.abs()], 1), "y": label})
    return Data(columns, rows, words={"y": tuple(letters)})
'''


def pictures(folder: str, *classes: str, size: int = 4) -> None:
    for name in classes:
        (Path(folder) / name).mkdir(parents=True)
        for number in range(6):
            red, green, blue = (min(255, each + number) for each in COLOURS.get(name, (9, 9, 9)))
            Image.new("RGB", (size, size), (red, green, blue)).save(f"{folder}/{name}/{number}.png")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, without_pictures: None) -> Path:
    """A folder with a trained run of each network."""
    folder = tmp_path_factory.mktemp("project")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        pictures("animals", *COLOURS)
        Path("own.txt").write_text("the cat saw the dog . the dog saw a fox . " * 4)
        Path("own.tsv").write_text("the cat\tle chat\nthe dog\tle chien\na cat\tun chat\na dog\tun chien\n" * 2)
        draw = np.random.default_rng(0)
        label = np.arange(30) % 3
        np.savez("own.npz", x=draw.integers(0, 256, (30, 4, 4), dtype=np.uint8), y=label)
        np.savez("real.npz", x=draw.normal(0, 3, (30, 1, 4, 4)).astype(np.float32), y=label)
        Path("kinds_of_points.py").write_text(KINDS)
        patch.syspath_prepend(folder)
        add_plugin("kinds_of_points")
        for text in (PICTURES, WORDS, FIXED, PAIRS, ARRAYS, REAL, PLUGIN):
            name = text.split()[3]
            Path(f"{name}.yaml").write_text(text)
            assert main(["train", f"{name}.yaml", "-o", name]) == 0
        clear_plugins()
    return folder


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(project)
    capsys.readouterr()


def scores(run: str, data: str, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, float]]:
    """The scores on other data, which both runtimes agree on."""
    found = []
    for runtime in ("torch", "onnx"):
        assert main(["evaluate", run, "--data", data, "--runtime", runtime, "--format", "json", *options]) == 0
        found.append(json.loads(capsys.readouterr().out))
    made: dict[str, dict[str, float]] = found[0]["scores"]
    assert found[1]["scores"] == {part: pytest.approx(values, abs=1e-5) for part, values in made.items()}
    if found[0]["classes"] is not None:
        error = found[0]["classes"]["calibration_error"]
        found[0]["classes"]["calibration_error"] = pytest.approx(error, abs=1e-5)
    assert found[1]["classes"] == found[0]["classes"]
    return made


def fault(run: str, data: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["evaluate", run, "--data", data]) == 1
    return capsys.readouterr().err


@pytest.mark.slow
def test_some_of_the_classes_of_images(capsys: pytest.CaptureFixture[str]):
    """Those that are there have their own numbers; images have the size of those that it was trained on."""
    pictures("some", "dog", "fox", size=8)
    assert scores("pictures", "images: some", capsys)["rows"]["accuracy"] == 1.0
    assert scores("pictures", "some", capsys)["rows"]["accuracy"] == 1.0
    pictures("parts/train", "dog")
    pictures("parts/test", "cat", "fox")
    made = scores("pictures", "images: parts", capsys)
    assert {part: each["accuracy"] for part, each in made.items()} == {"train": 1.0, "test": 1.0}
    pictures("owls", "dog", "owl")
    told = fault("pictures", "images: owls", capsys)
    assert "owls/owl is a class that the network was not trained on" in told
    assert "it knows `cat`, `dog`, `fox`" in told


@pytest.mark.slow
def test_words_keep_their_numbers(capsys: pytest.CaptureFixture[str]):
    """Words that are rarer, in another order or unknown; texts are divided as the training text was."""
    text = "a fox saw a fox . a zebra , the dog saw the cat . a fox"
    Path("new.txt").write_text(text)
    (run,) = TrainedRun.find("words")
    known = run.meaning().words["tokens"]
    numbers = [known.index(word) if word in known else 0 for word in split(text, "word")]
    count = (len(numbers) - 1) // 4 * 4
    tokens, wanted = torch.tensor(numbers[:count]).view(-1, 4), torch.tensor(numbers[1 : count + 1]).view(-1, 4)
    output = run.module("torch")(tokens)
    loss = torch.nn.functional.cross_entropy(output.flatten(0, 1), wanted.flatten()).item()
    for written in ("text: new.txt", "text: {path: new.txt, length: 4, level: word, least: 2}"):
        assert scores("words", written, capsys)["rows"]["loss"] == pytest.approx(loss, abs=1e-5)
    (answer,) = Predictor(run).answers("the dog.")
    (apart,) = Predictor(run).answers("the dog .")
    assert answer.text == apart.text


def test_pairs_keep_the_words_of_both_sides(capsys: pytest.CaptureFixture[str]):
    Path("new.tsv").write_text("dog a\tun chien\nthe zebra\tle zèbre\n")
    (run,) = TrainedRun.find("both")
    words = run.meaning().words
    encoded = [
        [[words[side].index(word) if word in words[side] else 3 for word in text.split()] for text in texts]
        for side, texts in (("source", ("dog a", "the zebra")), ("target", ("un chien", "le zèbre")))
    ]
    source = torch.tensor(encoded[0])
    target = torch.tensor([[1, *row] for row in encoded[1]])
    wanted = torch.tensor([[*row, 2] for row in encoded[1]])
    output = run.module("torch")(source, target)
    loss = torch.nn.functional.cross_entropy(output.flatten(0, 1), wanted.flatten()).item()
    assert scores("both", "pairs: new.tsv", capsys)["rows"]["loss"] == pytest.approx(loss, abs=1e-5)


def test_some_of_the_classes_of_arrays(capsys: pytest.CaptureFixture[str]):
    with np.load("own.npz") as own:
        x, y = own["x"], own["y"]
    np.savez("ones.npz", x=x[y == 1], y=y[y == 1])
    (run,) = TrainedRun.find("arrays")
    wanted = run.module("torch")(torch.from_numpy(x[y == 1, None] / np.float32(255)))
    loss = torch.nn.functional.cross_entropy(wanted, torch.ones(len(wanted), dtype=torch.int64)).item()
    assert scores("arrays", "npz: ones.npz", capsys)["rows"]["loss"] == pytest.approx(loss, abs=1e-5)
    np.savez("threes.npz", x=x, y=np.where(y == 2, 7, y))
    assert "row 3: `y` is 7, which the network was not trained on" in fault("arrays", "npz: threes.npz", capsys)


def test_the_scale_of_the_training_images(capsys: pytest.CaptureFixture[str]):
    """Bytes, or real numbers up to 1, where it was trained on bytes; real numbers where it was trained on those."""
    with np.load("own.npz") as own:
        x, y = own["x"], own["y"]
    np.save("bytes.npy", x)
    np.save("whole.npy", x.astype(np.int64)[:, None])
    np.save("shares.npy", (x / np.float32(255))[:, None])
    (run,) = TrainedRun.find("arrays")
    wanted = run.module("torch")(torch.from_numpy(x[:, None] / np.float32(255))).softmax(-1)
    for file in ("bytes.npy", "whole.npy", "shares.npy"):
        for answer, row in zip(Predictor(run).answers(file), wanted, strict=True):
            assert answer.probabilities == pytest.approx(dict(zip("012", row.tolist())), abs=1e-5)
    np.save("large.npy", x.astype(np.float32))
    assert main(["predict", "arrays", "large.npy"]) == 2
    assert "`x` in large.npy holds numbers from" in (told := capsys.readouterr().err)
    assert "but the network was trained on bytes" in told
    np.savez("large.npz", x=x.astype(np.float32)[:, None], y=y)
    assert "but the network was trained on bytes" in fault("arrays", "npz: large.npz", capsys)
    assert main(["predict", "real", "bytes.npy"]) == 2
    assert "`x` in bytes.npy holds bytes, but the network was trained on numbers from" in capsys.readouterr().err
    assert "`x` holds bytes, but the network was trained on numbers from" in fault("real", "npz: own.npz", capsys)


@pytest.fixture
def without_plugins() -> Iterator[None]:
    """Without plugins, before and after."""
    clear_plugins()
    yield
    clear_plugins()


@pytest.mark.usefixtures("without_plugins")
def test_the_words_of_a_plugin(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Classes are found by their names though its reader knows nothing of a trained network."""
    monkeypatch.syspath_prepend(project)
    with_plugin = ("--plugin", "kinds_of_points")
    assert scores("kinds", "kinds: abc", capsys, *with_plugin)["rows"]["accuracy"] == 1.0
    assert scores("kinds", "kinds: cb", capsys, *with_plugin)["rows"]["accuracy"] == 1.0
    assert main(["evaluate", "kinds", "--data", "kinds: cbd", *with_plugin]) == 1
    assert "row 3: `y` is `d`, which the network was not trained on" in capsys.readouterr().err


def test_an_onnx_file_says_what_it_reads_and_gives():
    (run,) = TrainedRun.find("pictures")
    found = {each.key: each.value for each in onnx.load("pictures/model.onnx").metadata_props}
    said = {key: json.loads(found[f"netspec.{key}"]) for key in ("inputs", "targets", "classes", "data", "prepare")}
    assert said["inputs"] == {"image": "image"}
    assert said["targets"] == {run.graph.body.output_names[0]: "label"}
    assert [*said["classes"].values()] == [["cat", "dog", "fox"]]
    kept = json.loads(Path("pictures/data.json").read_text())
    assert said["data"] == {key: value for key, value in kept.items() if key not in ("rows", "sha256")}
    ((name, learned),) = said["prepare"][0]["states"].items()
    assert torch.equal(torch.tensor(learned, dtype=torch.float64), run.states()[0][name])


@pytest.mark.parametrize(
    ("run", "make", "told"),
    [
        ("arrays", lambda file: np.save(file, np.zeros((0, 4, 4), np.uint8)), "odd.npy has no rows"),
        (
            "arrays",
            lambda file: np.save(file, np.array([None]), allow_pickle=True),
            "odd.npy cannot be read: it holds",
        ),
        ("words", lambda file: np.save(file, np.full((1, 4), 1.5)), "`tokens` in odd.npy holds real numbers, but the"),
    ],
)
def test_arrays_that_are_none(run: str, make: object, told: str, capsys: pytest.CaptureFixture[str]):
    make("odd.npy")  # type: ignore[operator]
    assert main(["predict", run, "odd.npy"]) == 2
    assert told in capsys.readouterr().err


def test_a_file_without_a_text_is_told(capsys: pytest.CaptureFixture[str]):
    Path("blank.txt").write_text("\n \n")
    assert main(["predict", "words", "blank.txt"]) == 2
    assert capsys.readouterr().err == "netspec: blank.txt has no text\n"


def test_a_text_that_is_longer_than_a_name_may_be():
    (run,) = TrainedRun.find("words")
    (answer,) = Predictor(run).answers("the dog saw " * 400)
    assert answer.text is not None


def test_a_text_of_another_length_than_the_network_takes():
    (run,) = TrainedRun.find("fixed")
    with pytest.raises(UsageError, match="`a dog` is 2 long, but the network reads 4 at a time"):
        [*Predictor(run).answers("a dog")]
    (answer,) = Predictor(run).answers("the dog saw a fox")  # the last words are what is read
    assert answer.text is not None


def test_data_that_have_changed_are_told(project: Path, capsys: pytest.CaptureFixture[str]):
    """What is held back is chosen by the number of rows: of others it may be what has been learned."""
    shutil.copytree(project, project.parent / "changed", dirs_exist_ok=True)
    with contextlib.chdir(project.parent / "changed"):
        with np.load("own.npz") as own:
            np.savez("own.npz", x=own["x"][:20], y=own["y"][:20])
        assert main(["evaluate", "arrays"]) == 0
    assert "the data differ from those it was trained on: `train` has 20 rows, not 30" in capsys.readouterr().err
