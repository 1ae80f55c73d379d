"""Confusions, scores of classes, calibration and mistakes: by torchmetrics, and as a page shows them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from train import small

from netspec.cli.scores import class_tables
from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.train.data import Data, TensorRows
from netspec.train.names import resolve
from netspec.train.reading import read_data
from netspec.train.report.judged.judge import judge
from netspec.train.report.judged.judgement import Judgement, Mistake, together
from netspec.train.report.judged.plots import scatter
from netspec.train.report.judged.sections import sections
from netspec.train.setup import Setup

classification = resolve("torchmetrics.functional.classification")


class Answering(nn.Module):
    """A network that gives its first input, as it is."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows


def judgement(
    spec: str, rows: Tensor, target: Tensor, column: Column, words: tuple[str, ...], folder: Path
) -> Judgement:
    """The judgement of answers that are the rows themselves."""
    (folder / "answers.yaml").write_text(spec)
    columns = {"x": Column(tuple(rows.shape[1:])), "y": column}
    data = Data(columns, TensorRows({"x": rows, "y": target}), words={"y": words} if words else {})
    setup = Setup(compile_spec(folder / "answers.yaml"), data, torch.device("cpu"))
    setup.model = Answering()
    found = judge(setup, "train", setup.batches(data.train))
    assert found is not None
    return Judgement.of_plain(found.plain())


def spec(shape: str, loss: str) -> str:
    return f"""
netspec: 1
name: answers
inputs: {{x: [N, {shape}]}}
network: [identity]
train: {{data: {{npz: {{path: none.npz}}}}, loss: {loss}, optimizer: adam, epochs: 1}}
"""


WORDS = ("cat", "<b>dog</b>", "owl", "eel")


@pytest.fixture(scope="module")
def answers() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    target = torch.randint(4, (500,), generator=generator)
    scores = torch.randn(500, 4, generator=generator) + 2 * nn.functional.one_hot(target, 4)
    return scores, target


@pytest.fixture(scope="module")
def of_classes(answers: tuple[Tensor, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    column = Column((), "int64", 4, target=True)
    return judgement(spec("4", "cross_entropy"), *answers, column, WORDS, tmp_path_factory.mktemp("judged"))


def test_classes_are_as_torchmetrics_counts_them(of_classes: Judgement, answers: tuple[Tensor, Tensor]) -> None:
    scores, target = answers
    assert of_classes.rows == 500
    wanted = classification.multiclass_confusion_matrix(scores, target, 4)
    assert [*map(list, of_classes.confusion)] == wanted.tolist()
    for name in ("precision", "recall"):
        measured = getattr(classification, f"multiclass_{name}")(scores, target, 4, average="none")
        assert [getattr(each, name) for each in of_classes.scores()] == pytest.approx(measured.tolist())
    f1 = classification.multiclass_f1_score(scores, target, 4, average="none")
    assert [each.f1 for each in of_classes.scores()] == pytest.approx(f1.tolist())
    assert sum(each.support for each in of_classes.scores()) == 500


def test_calibration_is_torchmetrics_s(of_classes: Judgement, answers: tuple[Tensor, Tensor]) -> None:
    wanted = classification.multiclass_calibration_error(answers[0].softmax(1), answers[1], 4, n_bins=15)
    assert of_classes.calibration_error() == pytest.approx(float(wanted), abs=1e-6)


def test_the_worst_mistakes_are_those_that_it_is_surest_of(
    of_classes: Judgement, answers: tuple[Tensor, Tensor]
) -> None:
    scores, target = answers
    far = scores.max(1).values - scores.gather(1, target[:, None])[:, 0]
    order = far.argsort(descending=True)[: len(of_classes.mistakes)].tolist()
    assert [each.row for each in of_classes.mistakes] == order
    worst = of_classes.mistakes[0]
    assert worst.wanted == WORDS[int(target[worst.row])]
    assert worst.sure == pytest.approx(float(scores[worst.row].softmax(0).max()))
    assert worst.shown is not None
    assert [*worst.shown["features"]] == ["x 0", "x 1", "x 2", "x 3"]


def test_a_class_that_is_never_answered_has_no_precision(tmp_path: Path) -> None:
    rows, target = torch.tensor([[9.0, 0, 0], [9.0, 0, 0]]), torch.tensor([0, 1])
    column = Column((), "int64", 3, target=True)
    found = judgement(spec("3", "cross_entropy"), rows, target, column, (), tmp_path).scores()
    assert [tuple(each) for each in found] == [
        ("0", 0.5, 1.0, pytest.approx(2 / 3), 1),
        ("1", None, 0.0, 0.0, 1),
        ("2", None, None, None, 0),
    ]


def test_yes_and_no_are_two_classes(tmp_path: Path) -> None:
    score = torch.tensor([[3.0], [-2.0], [0.5], [-1.0]])
    column = Column((), "float32", target=True)
    target = torch.tensor([1.0, 1.0, 0.0, 0.0])
    found = judgement(spec("1", "binary_cross_entropy"), score, target, column, (), tmp_path)
    assert (found.classes, found.confusion) == (["no", "yes"], [[1, 1], [1, 1]])
    both = torch.stack([1 - score.sigmoid()[:, 0], score.sigmoid()[:, 0]], 1)
    wanted = classification.multiclass_calibration_error(both, target.long(), 2, n_bins=15)
    assert found.calibration_error() == pytest.approx(float(wanted), abs=1e-6)
    assert [each.row for each in found.mistakes] == [1, 2]
    perceptron = judgement(spec("1", "perceptron"), score, target, column, (), tmp_path)
    assert (perceptron.confusion, perceptron.calibration_error()) == (found.confusion, None)


def test_every_place_of_an_image_counts_but_what_is_ignored(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    scores, target = torch.randn(5, 3, 4, 6, generator=generator), torch.randint(3, (5, 4, 6), generator=generator)
    column = Column((4, 6), "int64", 3, target=True)
    loss = "{cross_entropy: {ignore_index: 2}}"
    found = judgement(spec("3, 4, 6", loss), scores, target, column, (), tmp_path)
    wanted = classification.multiclass_confusion_matrix(scores, target, 3, ignore_index=2)
    assert [*map(list, found.confusion)] == wanted.tolist()
    assert (found.rows, found.mistakes) == (int((target != 2).sum()), [])


def test_numbers_have_pairs_and_the_largest_errors(tmp_path: Path) -> None:
    said, wanted = torch.tensor([[1.0], [5.0], [2.0]]), torch.tensor([1.5, 2.0, 2.0])
    found = judgement(spec("1", "mse"), said, wanted, Column((), target=True), (), tmp_path)
    assert found.pairs == [(1.5, 1.0), (2.0, 5.0), (2.0, 2.0)]
    assert [(each.row, each.wanted, each.said) for each in found.mistakes][:2] == [(1, "2", "5"), (0, "1.5", "1")]
    page = "".join(sections(found))
    assert page.count("<circle") == 3
    assert "The worst errors" in page
    assert page.index("Rows count from 1") < page.index("<td>row 2</td><td>2</td>") < page.index("<td>row 1</td>")


def test_folds_are_added_up(of_classes: Judgement) -> None:
    twice = together([of_classes, of_classes], 5)
    assert twice is not None
    assert twice.scores()[1].support == 2 * of_classes.scores()[1].support
    assert twice.calibration_error() == pytest.approx(of_classes.calibration_error())
    assert [each.row for each in twice.mistakes] == [of_classes.mistakes[at // 2].row for at in range(5)]
    assert together([], 5) is None


def test_pictures_of_a_run_are_png_files(tmp_path: Path) -> None:
    run = small.begin(small.graph(tmp_path, epochs="1"), tmp_path / "run")
    found = run.go().judgement
    assert found is not None
    assert found.part == "test"
    assert found.rows == 20
    mistake = found.mistakes[0]
    image, rows = _opened(mistake), run.setup.data.test
    assert rows is not None
    assert image.size == (28, 28)
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(28, 28)
    assert torch.equal(pixels, rows.take(torch.tensor([mistake.row]))["image"][0, 0])
    page = "".join(sections(found))
    assert page.count("<img src=") == len(found.mistakes)


def test_rows_of_a_folder_are_called_by_their_files(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for number, shade in enumerate(torch.randint(256, (120,), generator=generator).tolist()):
        file = tmp_path / "pets" / ("cat" if number % 2 else "dog") / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), shade).save(file)
    (tmp_path / "pets.yaml").write_text(
        "netspec: 1\nname: pets\ninputs: {x: [N, 1, 4, 4]}\nnetwork: [flatten, linear: 2]\n"
        "train: {data: {images: {path: pets, grey: true}}, loss: cross_entropy, optimizer: adam, epochs: 1}\n"
    )
    graph = compile_spec(tmp_path / "pets.yaml")
    run = small.begin(graph, tmp_path / "run", read_data(graph))
    found = run.go().judgement
    assert found is not None
    assert found.part == "validation"
    assert found.mistakes
    for mistake in found.mistakes:
        shown, file = _opened(mistake), tmp_path / str(mistake.file)
        assert file.parent.name == mistake.wanted
        assert shown.getpixel((0, 0)) == Image.open(file).getpixel((0, 0))
    page = "".join(sections(found))
    assert str(found.mistakes[0].file) in page
    assert "Rows count" not in page


def _opened(mistake: Mistake) -> Any:
    assert mistake.shown is not None
    head, _, data = mistake.shown["picture"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_names_are_text_on_a_page_and_in_a_terminal(of_classes: Judgement) -> None:
    page = "".join(sections(of_classes))
    assert "&lt;b&gt;dog&lt;/b&gt;" in page
    assert "<b>" not in page
    told = class_tables(of_classes)
    assert told.splitlines()[1].split() == [*WORDS]
    assert f"calibration error {of_classes.calibration_error():.4f}" in told


def test_many_classes_are_told_by_their_largest_confusions(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    scores, target = torch.randn(900, 60, generator=generator), torch.randint(60, (900,), generator=generator)
    scores[target == 7, 9] += 50
    found = judgement(spec("60", "cross_entropy"), scores, target, Column((), "int64", 60, target=True), (), tmp_path)
    assert (found.confusions()[0].wanted, found.confusions()[0].said) == ("7", "9")
    told = class_tables(found).splitlines()
    assert told[2].startswith("7 → 9")
    assert len(told) < 30
    assert "Taken for another" in "".join(sections(found))


@pytest.mark.parametrize(("low", "high"), [(40780.0, 221759.0), (-3e6, 2e6), (0.1, 0.5)])
def test_the_labels_of_a_scatter_are_within_its_picture(low: float, high: float) -> None:
    drawn = ElementTree.fromstring(scatter([(low, high), (high, low)]))
    start, _, width, _ = map(float, drawn.attrib["viewBox"].split())
    for label in drawn.findall("text")[:-1]:
        long, x = 6.5 * len(label.text or ""), float(label.attrib["x"])
        left, right = (x - long, x) if label.attrib["text-anchor"] == "end" else (x - long / 2, x + long / 2)
        assert left >= start
        assert right <= start + width
