"""Losses for skewed classes, segmentation and rankings, against torch's, torchvision's and the same in parts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.recipes import ingredients
from netspec.recipes.losses import Loss
from netspec.runtime.vision import import_torchvision
from netspec.train.optimize.objective import Objective, shares

import_torchvision()
torchvision = import_module("torchvision")
IMAGES = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0))
CLASSES = torch.randint(3, (6, 4, 5), generator=torch.Generator().manual_seed(1))


def of(name: str, **arguments: Any) -> Loss:
    made = ingredients("loss")[name](**arguments)
    assert isinstance(made, Loss)
    return made


def loss_of(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The loss of a batch, which is the sum of those of its parts, by what counts in them."""
    objective = Objective({"output": loss}, {"output": None})
    whole = objective(output, {"output": target})
    counts = objective.counts({"output": target})
    parts = []
    for part in (slice(0, 1), slice(1, 4), slice(4, None)):
        own = {"output": target[part]}
        parts.append(objective(output[part], own, shares(objective.counts(own), counts)))
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    return whole


@pytest.mark.parametrize("alpha", [0.25, 0.7, None])
@pytest.mark.parametrize("gamma", [0.0, 2.0, 5.0])
def test_binary_focal_is_torchvisions(alpha: float | None, gamma: float):
    truths = (CLASSES == 1).float()[:, None].expand(-1, 3, -1, -1)
    own = -1 if alpha is None else alpha
    wanted = torchvision.ops.sigmoid_focal_loss(IMAGES, truths, own, gamma, "mean")
    torch.testing.assert_close(loss_of(of("binary_focal", alpha=alpha, gamma=gamma), IMAGES, truths), wanted)


@pytest.mark.parametrize("ignored", [None, 2])
@pytest.mark.parametrize("weight", [None, [1.0, 3.0, 0.5]])
def test_focal_without_focus_is_the_cross_entropy_of_pixels_too(weight: list[float] | None, ignored: int | None):
    loss = of("focal", gamma=0.0, weight=weight, ignore_index=ignored)
    weights = None if weight is None else torch.tensor(weight)
    wanted = F.cross_entropy(IMAGES, CLASSES, weights, ignore_index=-100 if ignored is None else ignored)
    torch.testing.assert_close(loss_of(loss, IMAGES, CLASSES), wanted)


@pytest.mark.parametrize("weight", [None, [1.0, 3.0, 0.5]])
def test_focal_of_probabilities_is_that_of_classes_where_they_are_sure(weight: list[float] | None):
    scores, classes, loss = IMAGES[:, :, 0, 0], CLASSES[:, 0, 0], of("focal", weight=weight)
    hard = loss_of(loss, scores, classes)
    torch.testing.assert_close(loss_of(loss, scores, F.one_hot(classes, 3).float()), hard)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_what_is_sure_has_finite_gradients(gamma: float):
    scores = torch.tensor([[60.0, -60.0], [-60.0, 60.0]], requires_grad=True)
    for loss, target in (
        (of("focal", gamma=gamma), torch.tensor([0, 0])),
        (of("binary_focal", gamma=gamma), torch.eye(2)),
    ):
        scores.grad = None
        loss_of(loss, scores.expand(2, 2), target).backward()
        assert scores.grad is not None
        assert scores.grad.isfinite().all()


def test_images_of_which_nothing_counts_are_left_out():
    target = CLASSES.clone()
    target[:2] = 255
    for extra in (0.0, 1.0):
        loss = of("dice", ignore_index=255, cross_entropy=extra)
        torch.testing.assert_close(loss_of(loss, IMAGES, target), loss_of(loss, IMAGES[2:], target[2:]))
    target[:, 0] = 255
    cut = loss_of(of("dice"), IMAGES[2:, :, 1:], CLASSES[2:, 1:])
    torch.testing.assert_close(loss_of(of("dice", ignore_index=255), IMAGES, target), cut)


def test_a_mask_of_one_channel_is_one_without():
    truths = (CLASSES == 1).float()
    for extra in (0.0, 0.5):
        loss = of("binary_dice", cross_entropy=extra)
        torch.testing.assert_close(loss_of(loss, IMAGES[:, :1], truths), loss_of(loss, IMAGES[:, 0], truths))


def test_a_perfect_segmentation_loses_nothing():
    assert loss_of(of("dice"), 100 * F.one_hot(CLASSES, 3).movedim(-1, 1).float(), CLASSES) < 1e-5
    assert loss_of(of("binary_dice"), 200 * (CLASSES == 1).float() - 100, (CLASSES == 1).float()) < 1e-5


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_two_items_are_ranked_as_torch_ranks_them(margin: float):
    scores, better = torch.randn(7, 2), torch.tensor([[0, 1], [1, 0], [1, 0], [3, 2], [0, 5], [1, 2], [9, 0]])
    order = torch.where(better[:, 0] > better[:, 1], 1.0, -1.0)
    wanted = F.margin_ranking_loss(scores[:, 0], scores[:, 1], order, margin=margin)
    torch.testing.assert_close(loss_of(of("margin_ranking", margin=margin), scores, better), wanted)
    logistic = F.binary_cross_entropy_with_logits(scores[:, 0] - scores[:, 1], (order > 0).float())
    torch.testing.assert_close(loss_of(of("rank_net"), scores, better), logistic)


def test_items_that_are_equally_good_have_no_order():
    for name in ("margin_ranking", "rank_net"):
        assert loss_of(of(name), torch.randn(6, 4), torch.ones(6, 4)) == 0


@pytest.mark.parametrize("swap", [False, True])
def test_triplets_are_torchs(swap: bool):
    vectors = torch.randn(9, 3, 5)
    wanted = torch.nn.TripletMarginLoss(margin=0.6, swap=swap, p=1.0)(*vectors.unbind(1))
    loss = of("triplet_margin", margin=0.6, swap=swap, p=1.0)
    torch.testing.assert_close(loss_of(loss, vectors, torch.zeros(9)), wanted)


def test_pairs_are_drawn_together_or_pushed_apart_as_torch_does_to_cosines():
    distances, alike = torch.rand(8) * 2, torch.tensor([1.0, 0, 0, 1, 1, 0, 1, 0])
    apart = F.hinge_embedding_loss(distances, 2 * alike - 1, margin=1.2, reduction="none")
    wanted = apart.square().mean()  # torch's is of distances, Hadsell's of their squares
    torch.testing.assert_close(loss_of(of("contrastive", margin=1.2), distances, alike), wanted)
