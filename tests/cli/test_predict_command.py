"""``netspec predict`` as a user meets it: equal on both runtimes, and equal to the network asked by hand."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.cli import main
from netspec.cli.commands.training.predict.answers import in_format
from netspec.train.predict.answers import Answer, Predictor, digits
from netspec.train.predict.inputs import InputReader
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.reading import read_data

TUMOURS = """\
netspec: 1
name: tumours
inputs: {features: [N, 30]}
network: [{linear: 8}, relu, {linear: 2}]
train: {data: breast_cancer, prepare: standardize, loss: cross_entropy, optimizer: adam, steps: 20, validation: 0.2}
"""
DIGITS = """\
netspec: 1
name: digits
inputs: {image: [N, 1, 8, 8]}
network: [flatten, {linear: 10}]
train: {data: digits, loss: cross_entropy, optimizer: {adam: 0.01}, steps: 20}
"""
SIDES = """\
netspec: 1
name: sides
inputs: {x: [N, 2]}
network: [{linear: 1}]
train: {data: separable, loss: perceptron, optimizer: {sgd: 0.1}, epochs: 2}
"""
LINE = """\
netspec: 1
name: line
inputs: {x: [N, 2]}
network: [{linear: 1}]
train: {data: line, loss: mse, optimizer: {sgd: 0.03}, epochs: 2}
"""
KINDS = """\
netspec: 1
name: kinds
inputs: {features: [N, 2]}
network: [{linear: 2}]
train: {data: {csv: {path: kinds.csv, target: kind, classes: true}}, loss: cross_entropy, optimizer: adam, steps: 2}
"""
LETTERS = """\
netspec: 1
name: letters
inputs: {tokens: {shape: [N, T], dtype: int64}}
network:
  - embedding: {num_embeddings: 27, embedding_dim: 4}
  - gru: {hidden_size: 8}
  - linear: 27
train: {data: {alice: 12}, loss: cross_entropy, optimizer: adam, steps: 3, batch: 256}
"""
DATES = """\
netspec: 1
name: dates
inputs:
  source: {shape: [N, S], dtype: int64}
  target: {shape: [N, T], dtype: int64}
network:
  - embedding: {name: read, from: source, num_embeddings: 55, embedding_dim: 4}
  - gru: {name: encoder, hidden_size: 8}
  - embedding: {name: written, from: target, num_embeddings: 55, embedding_dim: 4}
  - gru: {name: decoder, hidden_size: 8, h_0: encoder.h_n}
  - linear: {from: decoder.output, out_features: 55}
train: {data: dates, loss: cross_entropy, optimizer: adam, steps: 3, batch: 256}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, without_pictures: None) -> Path:
    """A folder with a trained run of each network."""
    folder = tmp_path_factory.mktemp("project")
    with contextlib.chdir(folder):
        Path("kinds.csv").write_text("length,width,kind\n" + "1,2,cat\n3,4,owl\n" * 5)
        for text in (TUMOURS, DIGITS, LINE, SIDES, KINDS, LETTERS, DATES):
            name = text.split()[3]
            Path(f"{name}.yaml").write_text(text)
            assert main(["train", f"{name}.yaml", "--devices", "cpu"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(project)
    capsys.readouterr()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    """What is said on both runtimes, which is the same."""
    found = []
    for runtime in ("torch", "onnx"):
        assert main(["predict", *arguments, "--runtime", runtime, "--format", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    ours, theirs = found
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert other[key] == (value if key in ("input", "class", "text") else pytest.approx(value, abs=1e-5))
    return ours


@pytest.mark.slow
def test_rows_of_a_table(capsys: pytest.CaptureFixture[str]):
    """The table's rows are standardised as the training rows were, not by themselves."""
    (run,) = TrainedRun.find("runs/tumours/1")
    rows = read_data(run.graph).train.take(torch.arange(5))["features"]
    mean, std = run.states()[0]["features"]
    wanted = run.module("torch")(((rows - mean) / std).float()).softmax(-1)
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    Path("new.csv").write_text("\n".join(lines) + "\n")
    found = said(capsys, "runs/tumours/1", "new.csv")
    for number, (row, answer) in enumerate(zip(wanted, found, strict=True), 1):
        assert answer["input"] == f"new.csv:{number}"
        assert answer["probabilities"] == pytest.approx(dict(zip(("malignant", "benign"), row.tolist())), abs=1e-5)
    np.save("new.npy", rows.numpy())
    assert [each["probabilities"] for each in said(capsys, "runs/tumours/1", "new.npy")] == [
        pytest.approx(each["probabilities"], abs=1e-5) for each in found
    ]


@pytest.mark.slow
def test_an_image(capsys: pytest.CaptureFixture[str]):
    """A picture is grey and as large as the training images, or is made so."""
    (run,) = TrainedRun.find("runs/digits/1")
    pixels = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(pixels).save("grey.png")
    Image.fromarray(np.stack([pixels] * 3, -1).repeat(4, 0).repeat(4, 1)).save("large.png")
    wanted = run.module("torch")(torch.tensor(pixels / 255.0, dtype=torch.float32).view(1, 1, 8, 8)).softmax(-1)[0]
    grey, large = said(capsys, "runs/digits/1", "grey.png", "large.png")
    shares = [grey["probabilities"][str(digit)] for digit in range(10)]
    assert shares == pytest.approx(wanted.tolist(), abs=1e-5)
    assert large["class"] == grey["class"]


def test_a_digit_on_nothing_counts_as_on_white(capsys: pytest.CaptureFixture[str]):
    """A drawing program's picture: black on what is transparent. Its negative is white on what is transparent."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[1:7, 3:5, 3] = 255
    Image.fromarray(pixels).save("drawn.png")
    Image.fromarray(np.where(pixels[..., 3] > 0, 0, 255).astype(np.uint8)).save("on_white.png")
    assert main(["predict", "runs/digits/1", "drawn.png", "drawn.png", "on_white.png", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    first, second, third = (answer["probabilities"] for answer in json.loads(out))
    assert first == second == third
    assert err.count("has transparent places") == 1
    assert "drawn.png has transparent places, which count as white, as in training" in err
    assert err.count("dark and light are swapped, give the negative") == 3


def test_a_folder_of_images_is_written_to_a_file(capsys: pytest.CaptureFixture[str]):
    """Those in folders inside it too; each as if it were asked alone."""
    folder = Path("pictures")
    (folder / "more").mkdir(parents=True)
    generator = np.random.default_rng(0)
    names = ["pictures/a.png", "pictures/b.png", "pictures/more/c.png"]
    for name in names:
        Image.fromarray(generator.integers(0, 255, (8, 8), dtype=np.uint8)).save(name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / "more" / "d.avif").write_bytes(b"av1")
    assert main(["predict", "runs/digits/1", "pictures", "-o", "answers.csv"]) == 0
    out, err = capsys.readouterr()
    assert out == "answers.csv: 3 answers\n"
    assert err.startswith("netspec: 1 image is left out, in formats that are not read, .avif (1): convert them to PNG")
    rows = [*csv.DictReader(io.StringIO(Path("answers.csv").read_text()))]
    assert [row["input"] for row in rows] == names
    (alone,) = said(capsys, "runs/digits/1", names[2])
    assert {name: float(rows[2][name]) for name in map(str, range(10))} == pytest.approx(alone["probabilities"])
    assert main(["predict", "runs/digits/1", "pictures", "-o", "answers.json"]) == 0
    assert json.loads(Path("answers.json").read_text())[2]["class"] == alone["class"]


def test_columns_of_a_table_are_copied(capsys: pytest.CaptureFixture[str]):
    Path("tables").mkdir()
    for number in range(2):
        Path(f"tables/{number}.csv").write_text(f"id,note,width,length\np{number},=1+1,2,{number}\n")
    kept = ["--keep", "id", "--keep", "note"]
    assert main(["predict", "runs/kinds/1", "tables", "-o", "answers.csv", *kept]) == 0
    rows = [*csv.DictReader(io.StringIO(Path("answers.csv").read_text()))]
    assert [*rows[0]] == ["input", "id", "note", "class", "cat", "owl"]
    assert [(row["input"], row["id"], row["note"]) for row in rows] == [
        ("tables/0.csv", "p0", "'=1+1"),
        ("tables/1.csv", "p1", "'=1+1"),
    ]
    assert main(["predict", "runs/kinds/1", "tables/0.csv", "--format", "json", "--keep", "id"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])[0]["kept"] == {"id": "p0"}
    assert main(["predict", "runs/kinds/1", "tables", "--keep", "age"]) == 2
    assert "tables/0.csv has no column `age`" in capsys.readouterr().err
    np.save("one.npy", np.ones((1, 2), np.float32))
    assert main(["predict", "runs/kinds/1", "one.npy", "--keep", "id"]) == 2
    assert capsys.readouterr().err.endswith("--keep copies columns of a table that names them, which one.npy is not\n")


def test_a_misspelt_column_is_named(capsys: pytest.CaptureFixture[str]):
    Path("typed.csv").write_text("Width,lenght,note\n1,2,3\n")
    assert main(["predict", "runs/kinds/1", "typed.csv"]) == 2
    told = "typed.csv has no column `length`, `width`: `lenght` may be `length`, `Width` may be `width`; its first"
    assert told in capsys.readouterr().err


def test_numbers(capsys: pytest.CaptureFixture[str]):
    (run,) = TrainedRun.find("runs/line/1")
    weight, bias = run.module("torch").state_dict().values()
    Path("points.csv").write_text("x1,x2,y\n1,2,0\n3,4,0\n")
    found = said(capsys, "runs/line/1", "points.csv")
    wanted = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) @ weight[0] + bias
    assert [each["values"] for each in found] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert main(["predict", "runs/line/1", "points.csv", "--format", "csv"]) == 0
    head, row, _ = capsys.readouterr().out.splitlines()
    assert head == "input,y"
    assert float(row.rpartition(",")[2]) == pytest.approx(wanted[0].item(), abs=1e-5)


def test_answers_are_not_written_over_what_is_read(capsys: pytest.CaptureFixture[str]):
    text = "x1,x2,y\n1,2,0\n"
    Path("rows.csv").write_text(text)
    assert main(["predict", "runs/line/1", "rows.csv", "-o", "./rows.csv"]) == 2
    assert capsys.readouterr().err == "netspec: -o ./rows.csv would overwrite what is read: name another file\n"
    assert Path("rows.csv").read_text() == text


def test_columns_of_several_targets():
    answers = [Answer(f"a.csv:{row}", values=[row, 0.5], targets=("price", "area"), kept={"area": 7}) for row in (1, 2)]
    assert in_format(answers, "csv") == "input,area,price,predicted_area\na.csv:1,7,1,0.5\na.csv:2,7,2,0.5\n"


def test_a_side_without_probabilities(capsys: pytest.CaptureFixture[str]):
    """A perceptron's score says on which side a point is, but nothing of odds."""
    (run,) = TrainedRun.find("runs/sides/1")
    points = torch.tensor([[0.9, 0.1], [-0.9, -0.1], [0.1, -0.9]])
    np.save("points.npy", points.numpy())
    wanted = run.module("torch")(points).flatten().tolist()
    assert said(capsys, "runs/sides/1", "points.npy") == [
        {"input": f"points.npy:{number}", "class": str(int(score > 0)), "values": pytest.approx(score, abs=1e-5)}
        for number, score in enumerate(wanted, 1)
    ]


def test_a_text_goes_on_as_the_network_says(capsys: pytest.CaptureFixture[str]):
    (run,) = TrainedRun.find("runs/letters/1")
    letters = " abcdefghijklmnopqrstuvwxyz"
    tokens = [letters.index(letter) for letter in "the cat"]
    for _ in range(12):
        tokens.append(int(run.module("torch")(torch.tensor([tokens[-12:]]))[0, -1].argmax()))
    (found,) = said(capsys, "runs/letters/1", "The cat")
    text = "".join(letters[token] for token in tokens[-12:])
    assert found == {"input": "The cat", "text": text}
    assert main(["predict", "runs/letters/1", "The cat"]) == 0
    assert capsys.readouterr().out == f"{text}\n"


def test_lines_of_a_text_are_lines_where_it_is_alone():
    answer = Answer("To be", text="or not\nto be")
    assert in_format([answer], "text") == "or not\nto be\n"
    assert in_format([answer, answer], "text") == "To be  or not⏎to be\n" * 2


def test_a_text_is_written_word_by_word(capsys: pytest.CaptureFixture[str]):
    (run,) = TrainedRun.find("runs/dates/1")
    predictor = Predictor(run)
    (answer,) = predictor.answers("1 may 2001")
    words = predictor.words["source"]
    source, written = torch.zeros(1, 41, dtype=torch.int64), [1]
    source[0, :10] = torch.tensor([words.index(letter) for letter in "1 may 2001"])
    while len(written) <= 40:
        target = torch.tensor([written + [0] * (40 - len(written))])
        token = int(run.module("torch")(source, target)[0, len(written) - 1].argmax())
        if token == 2:
            break
        written.append(token)
    assert answer.text == "".join(predictor.words["next"][token] for token in written[1:40])
    assert said(capsys, "runs/dates/1", "1 may 2001")[0]["text"] == answer.text


def test_what_is_read_beside_a_text():
    """Its length and what of it is padding are as in the rows of the data."""
    (run,) = TrainedRun.find("runs/dates/1")
    data = read_data(run.graph)
    row = data.train.take(torch.tensor([5]))
    text = "".join(data.words["source"][number] for number in row["source"][0, : int(row["lengths"])].tolist())
    columns = ["source", "source_padding", "lengths"]
    encoded = InputReader(run.meaning(), columns, "source").encoded(text)
    assert encoded.keys() == set(columns)
    for name in columns:
        assert torch.equal(encoded[name], row[name])


def test_as_csv_and_as_text(capsys: pytest.CaptureFixture[str]):
    np.savez("two.npz", features=np.ones((2, 30), np.float32))
    assert main(["predict", "runs/tumours/1", "two.npz", "--format", "csv"]) == 0
    rows = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert [*rows[0]] == ["input", "class", "benign", "malignant"]
    assert float(rows[1]["benign"]) + float(rows[1]["malignant"]) == pytest.approx(1)
    assert main(["predict", "runs/tumours/1", "two.npz"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("two.npz:1  ")
    assert second.split()[1] == rows[1]["class"]


@pytest.mark.parametrize(
    ("run", "file", "text", "fault"),
    [
        ("tumours", "none.csv", None, "there is no file none.csv"),
        ("tumours", "few.csv", "1,2\n", "few.csv has 2 columns, but a row of `features` has 30 numbers"),
        ("line", "words.csv", "a,b\n1,x\n", "words.csv, line 2: `column 2` is `x`, but a number is expected"),
        ("line", "empty.csv", "a,b\n", "empty.csv has no rows"),
        (
            "line",
            "odd.csv",
            "1,nan\n",
            "odd.csv, line 1: `column 2` is `nan`, but a number is expected: the network was trained without gaps: "
            "give a value there, or leave the row out",
        ),
        ("line", "runs", None, "runs has no file to predict for: none ends in .csv, .tsv, .parquet, .npy, .npz"),
        ("digits", "runs/line/1/checkpoints", None, "runs/line/1/checkpoints has no images"),
        (
            "letters",
            " ",
            None,
            "there is nothing to predict: give a file, or a text where the network reads one",
        ),
        ("line", "broken.npy", "text", "broken.npy cannot be read: it holds no NumPy arrays"),
        ("line", "page.html", "text", "page.html is neither an image nor a table (.csv) nor arrays (.npy, .npz)"),
        ("digits", "a.heic", "text", "a.heic is an image in a format that is not read: convert it to PNG or JPEG"),
        ("digits", "broken.png", "text", "broken.png cannot be read: it is no image"),
        ("digits", "some.csv", "1,2\n", "some.csv is a table, but a row of the network's is `image` [1, 8, 8]"),
        (
            "letters",
            "a+b",
            None,
            "the network does not know `+`; it knows a b c d e f g h i j k l m n o p q r s t u v w x y z",
        ),
    ],
)
def test_what_cannot_be_taken(run: str, file: str, text: str | None, fault: str, capsys: pytest.CaptureFixture[str]):
    if text is not None:
        Path(file).write_text(text)
    assert main(["predict", f"runs/{run}/1", file]) == 2
    assert capsys.readouterr().err == f"netspec: {fault}\n"


def test_an_array_of_another_shape(capsys: pytest.CaptureFixture[str]):
    np.savez("wide.npz", features=np.ones((2, 31), np.float32))
    assert main(["predict", "runs/tumours/1", "wide.npz"]) == 2
    assert capsys.readouterr().err == "netspec: `features` in wide.npz is float32 [2, 31], but a row is 30\n"
    np.savez("other.npz", x=np.ones((2, 30), np.float32))
    assert main(["predict", "runs/tumours/1", "other.npz"]) == 2
    assert capsys.readouterr().err == "netspec: other.npz has no array `features`: the network reads `features`\n"


def test_numbers_have_the_digits_of_single_precision():
    numbers = [0.1, 1 / 3, 1.5e-7, 60_000.0, 123_456_789.0]
    single = torch.tensor(numbers)
    found = digits(single)
    assert torch.equal(torch.tensor(found), single)
    assert found == [0.1, 0.33333334, 1.5e-7, 60_000.0, 123_456_790.0]
    assert digits(single[0]) == 0.1
    assert digits(torch.tensor([1 / 3], dtype=torch.float64)) == [1 / 3]
