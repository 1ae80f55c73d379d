"""What a network that writes is judged by: its own words, read back."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from netspec.recipes import Column
from netspec.recipes.losses import CrossEntropyLoss
from netspec.recipes.metrics import ExactMatch
from netspec.train.data import TensorRows
from netspec.train.data.batches import Batches, ColumnBinding
from netspec.train.optimize.metrics import Evaluator
from netspec.train.optimize.objective import Objective

WORDS, LENGTH, ROWS = 7, 5, 40
COLUMNS = {
    "source": Column((1,), "int64", WORDS),
    "target": Column((LENGTH,), "int64", WORDS, padding=0),
    "next": Column((LENGTH,), "int64", WORDS, target=True, padding=0, shifted="target"),
}


class Sums(nn.Module):
    """The next word is the sum of the source and of all words so far, but never 0."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        sums = source + target.cumsum(1)
        return nn.functional.one_hot(sums % (WORDS - 1) + 1, WORDS).float()


class LooksAhead(nn.Module):
    """The next word is the one that is given behind the present one."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return nn.functional.one_hot(target.roll(-1, 1), WORDS).float()


def evaluator() -> Evaluator:
    loss = CrossEntropyLoss()
    return Evaluator(
        [ExactMatch()], Objective({"output": loss}, {"output": 0}), {"output": loss}, COLUMNS["next"], WORDS, 1
    )


def rows(right: int) -> Batches:
    """Sources with what ``Sums`` writes of them, of some lengths; a word is wrong in all but ``right``."""
    source = torch.arange(ROWS)[:, None] % WORDS
    target = torch.ones(ROWS, LENGTH, dtype=torch.int64)
    following = torch.zeros_like(target)
    for place in range(LENGTH):
        following[:, place] = Sums()(source, target[:, : place + 1])[:, place].argmax(-1)
        if place + 1 < LENGTH:
            target[:, place + 1] = following[:, place]
    behind = torch.arange(LENGTH) >= 2 + torch.arange(ROWS)[:, None] % 4
    target, following = target.masked_fill(behind, 0), following.masked_fill(behind, 0)
    following[right:, 1] = following[right:, 1] % (WORDS - 1) + 1
    tensors = TensorRows({"source": source, "target": target, "next": following})
    return Batches(tensors, COLUMNS, ColumnBinding(("source", "target"), {"output": "next"}), torch.device("cpu"))


def test_one_pass_tells_what_reading_back_would():
    batches, judge = rows(right=13), evaluator()
    (batch,) = batches.in_order(ROWS)
    assert not judge.looks_ahead(Sums(), batch)
    written, wanted = judge.decoded(Sums(), batch), batch.targets["output"]
    assert ((written == wanted) | (wanted == 0)).all(1).sum() == 13
    assert judge.evaluate(Sums(), batches, None, nullcontext())["exact_match"] == torch.tensor(13 / ROWS)


def test_who_looks_ahead_is_judged_by_what_it_writes_by_itself():
    batches, judge = rows(right=ROWS), evaluator()
    (batch,) = batches.in_order(ROWS)
    behind = batch.inputs[1].roll(-1, 1)
    assert (behind[:, :1] == batch.targets["output"][:, :1]).all()  # given the words, it would know the next one
    assert judge.looks_ahead(LooksAhead(), batch)
    assert judge.evaluate(LooksAhead(), batches, None, nullcontext())["exact_match"] < 0.5
