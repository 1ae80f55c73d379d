"""What each class weighs in a loss: torch's own functions say what the loss is, in one batch and in its parts."""

import json

import pytest
import torch
from torch.nn import functional as F
from train import small

from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.recipes.losses import BCEWithLogitsLoss, CrossEntropyLoss, NLLLoss
from netspec.train.data import Data, TensorRows
from netspec.train.optimize.class_weights import read_loss_weights, write_loss_weights
from netspec.train.optimize.objective import Objective, shares
from netspec.train.setup import Setup

SPEC = """\
netspec: 1
name: rows
inputs: {x: [N, 1]}
network: [linear: OUT]
train: {data: {npz: d.npz}, loss: LOSS, optimizer: sgd, epochs: 1}
"""
OUTPUT = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 0])
WEIGHT = [0.5, 2.0, 3.0]


def setup(tmp_path, loss, y, out=3):
    (tmp_path / "s.yaml").write_text(SPEC.replace("LOSS", loss).replace("OUT", str(out)))
    classes = None if y.is_floating_point() else int(y.max()) + 1
    columns = {"x": Column((1,)), "y": Column(tuple(y.shape[1:]), str(y.dtype)[6:], classes, target=True)}
    data = Data(columns, TensorRows({"x": torch.zeros(len(y), 1), "y": y}))
    return Setup(compile_spec(tmp_path / "s.yaml"), data, torch.device("cpu"))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [None, 1, -100])
def test_classes_weigh_as_torch_has_it_in_one_batch_and_in_parts(smoothing, ignored):
    target = TARGET.clone()
    if ignored == -100:
        target[::5] = -100
    loss = CrossEntropyLoss(weight=WEIGHT, label_smoothing=smoothing, ignore_index=ignored)
    objective = Objective({"y": loss}, {"y": None})
    how = {} if ignored is None else {"ignore_index": ignored}
    wanted = F.cross_entropy(OUTPUT, target, torch.tensor(WEIGHT), label_smoothing=smoothing, **how)
    assert objective(OUTPUT, {"y": target}).allclose(wanted)
    if ignored == -100:  # counted as such where it is named
        assert objective.counts({"y": target})["y"] == sum(WEIGHT[each] for each in target.tolist() if each >= 0)
    wholes = objective.counts({"y": target})
    parts = [slice(0, 1), slice(1, 7), slice(7, 12)]
    total = sum(
        objective(OUTPUT[part], {"y": target[part]}, shares(objective.counts({"y": target[part]}), wholes))
        for part in parts
    )
    assert total.allclose(wanted)


def test_places_of_sequences_and_images_weigh_too():
    output, target = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    loss = NLLLoss(weight=WEIGHT)
    wanted = F.nll_loss(output, target, torch.tensor(WEIGHT))
    assert Objective({"y": loss}, {})(output, {"y": target}).allclose(wanted)
    output, target = torch.randn(2, 4, 3), torch.randint(3, (2, 4))
    wanted = F.cross_entropy(output.movedim(-1, 1), target, torch.tensor(WEIGHT))
    assert Objective({"y": CrossEntropyLoss(weight=WEIGHT)}, {})(output, {"y": target}).allclose(wanted)


@pytest.mark.parametrize("weight", [2.5, [0.5, 1.0, 4.0]])
def test_a_yes_weighs_more(weight):
    placed = torch.tensor(weight)
    for shape, view in (((6, 3), (-1,)), ((6, 3, 4, 5), (-1, 1, 1))):
        output, target = torch.randn(shape), torch.randint(2, shape).float()
        wanted = F.binary_cross_entropy_with_logits(output, target, pos_weight=placed.view(view))
        assert Objective({"y": BCEWithLogitsLoss(pos_weight=weight)}, {})(output, {"y": target}).allclose(wanted)


def test_balanced_classes_weigh_as_much_as_each_other(tmp_path):
    found = setup(tmp_path, "{cross_entropy: {weight: balanced}}", TARGET).losses["output"]
    assert found.weight == pytest.approx([12 / (3 * 7), 12 / (3 * 3), 12 / (3 * 2)])  # scikit-learn's `balanced`
    masks = TARGET.clone()
    masks[masks == 2] = 9
    found = setup(tmp_path, "{cross_entropy: {weight: balanced, ignore_index: 9}}", masks).losses["output"]
    assert found.weight == pytest.approx([10 / (2 * 7), 10 / (2 * 3), 1])


def test_balanced_truths(tmp_path):
    y = torch.tensor([1, 0, 0, 0, 1, 0])
    loss = "{binary_cross_entropy: {pos_weight: balanced}}"
    assert setup(tmp_path, loss, y, 1).losses["output"].pos_weight == pytest.approx(2)
    several = torch.stack([y, 1 - y, torch.zeros_like(y)], 1).float()
    assert setup(tmp_path, loss, several, 3).losses["output"].pos_weight == pytest.approx([2, 0.5, 1])


def test_what_was_balanced_is_kept_with_the_run(tmp_path):
    made = setup(tmp_path, "{cross_entropy: {weight: balanced}}", TARGET)
    write_loss_weights(made.losses, made.recipe.losses, tmp_path)
    other = setup(tmp_path, "{cross_entropy: {weight: balanced}}", torch.tensor([0, 1, 2]))
    assert other.losses["output"].weight == [1, 1, 1]
    kept = read_loss_weights(tmp_path)
    again = Setup(other.graph, other.data, torch.device("cpu"), loss_weights=kept)
    assert again.losses["output"].weight == pytest.approx(made.losses["output"].weight)


@pytest.mark.parametrize(
    ("loss", "out", "told"),
    [
        ("{cross_entropy: {weight: [1, 2]}}", 3,
         "`weight` of `cross_entropy` has 2 numbers, but the output has 3 scores"),
        ("{binary_cross_entropy: {pos_weight: [1, 2]}}", 1,
         "`pos_weight` of `binary_cross_entropy` has 2 numbers, but the output has 1 scores"),
    ],
)  # fmt: skip
def test_weights_for_another_number_of_scores(tmp_path, loss, out, told):
    (tmp_path / "s.yaml").write_text(SPEC.replace("LOSS", loss).replace("OUT", str(out)))
    (tmp_path / "t.csv").write_text("x,y\n1,0\n2,1\n")
    text = (tmp_path / "s.yaml").read_text().replace("{npz: d.npz}", "{csv: {path: t.csv, target: y, classes: true}}")
    (tmp_path / "s.yaml").write_text(text.replace("inputs: {x", "inputs: {features"))
    with pytest.raises(SpecError) as caught:
        compile_spec(tmp_path / "s.yaml")
    assert caught.value.diagnostics[0].message.startswith(told)


@pytest.mark.parametrize("weight", [1e-4, 3.0])
def test_the_loss_of_an_epoch_is_the_mean_of_its_steps_however_little_classes_weigh(tmp_path, weight):
    loss = f"{{cross_entropy: {{weight: {[weight] * 10}}}}}"
    small.begin(small.graph(tmp_path, loss=loss, epochs="1", batch="18"), tmp_path / "run").go()
    steps = [loss for _, loss in small.losses(tmp_path / "run")]
    (epoch,) = [line for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines() if "epoch" in line]
    assert json.loads(epoch)["train"]["loss"] == pytest.approx(sum(steps) / len(steps), rel=1e-6)
