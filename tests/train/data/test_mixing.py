"""The mixing of whole batches, against torchvision's MixUp and CutMix and torch's own losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib import import_module

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.recipes import Column, ingredients
from netspec.recipes.augmentations import CutMix, MixUp
from netspec.recipes.data import Mixing
from netspec.runtime.vision import import_torchvision
from netspec.train.data import TensorRows
from netspec.train.data.augmentations import seeded_numbers
from netspec.train.data.batches import Batch, Batches, ColumnBinding, seeded
from netspec.train.data.mixing import Mixer
from netspec.train.optimize.objective import Objective
from netspec.train.world import World

import_torchvision()
v2 = import_module("torchvision.transforms.v2")

COLUMNS = {"image": Column((3, 8, 10)), "label": Column((), "int64", 4, target=True)}
ROWS = TensorRows(
    {
        "image": torch.rand(21, 3, 8, 10, generator=torch.Generator().manual_seed(0)),
        "label": torch.randint(4, (21,), generator=torch.Generator().manual_seed(1)),
    }
)
CPU = torch.device("cpu")


def batches(*mixing: Mixing, world: World | None = None, seed: int = 3) -> Batches:
    mixer = Mixer(mixing, {"output": 4}, (), seed) if mixing else None
    binding = ColumnBinding(("image",), {"output": "label"})
    return Batches(ROWS, COLUMNS, binding, CPU, seed=seed, world=world or World(), mixer=mixer)


def images(batch: Batch) -> Tensor:
    (made,) = batch.inputs
    assert made is not None
    return made


def pairs(mine: Batches, epoch: int) -> Iterator[tuple[int, Batch, Batch]]:
    """The batches of an epoch by number, as they are and mixed."""
    yield from ((at, *each) for at, each in enumerate(zip(batches().shuffled(epoch, 6), mine.shuffled(epoch, 6))))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(MixUp(alpha=0.3), v2.MixUp(alpha=0.3, num_classes=4)), (CutMix(), v2.CutMix(num_classes=4))],
    ids=["mixup", "cutmix"],
)
def test_rows_and_targets_are_torchvisions_on_the_same_random_numbers(ours: Mixing, theirs: torch.nn.Module):
    changed = []
    for at, plain, mixed in pairs(batches(ours), 2):
        with seeded_numbers(seeded(3, "mixing", 2, at).initial_seed()):
            torch.rand(())  # the choice among those that mix
            wanted, probabilities = theirs(images(plain), plain.targets["output"])
        torch.testing.assert_close(images(mixed), wanted, rtol=0, atol=1e-6)
        torch.testing.assert_close(mixed.targets["output"], probabilities, rtol=0, atol=1e-6)
        assert mixed.rows == mixed.whole == len(wanted)
        changed.append(not images(mixed).equal(images(plain)))
    assert changed.count(True) >= 3  # a rectangle may be empty


@pytest.mark.parametrize("size", [2, 4])
def test_processes_mix_their_shares_with_the_rows_before_them(size: int):
    whole = [*batches(MixUp(), CutMix()).shuffled(0, 6)]
    shares = [[*batches(MixUp(), CutMix(), world=World(rank, size)).shuffled(0, 6)] for rank in range(size)]
    for at, batch in enumerate(whole):
        own = [each[at] for each in shares if each[at].rows]
        assert torch.cat([images(each) for each in own]).equal(images(batch))
        assert torch.cat([each.targets["output"] for each in own]).equal(batch.targets["output"])
    assert len(images(shares[0][-1])) == 1  # a process without rows has one that does not count


def test_a_resumed_epoch_mixes_as_the_whole_one_does():
    whole, rest = ([*batches(MixUp(), CutMix()).shuffled(1, 5, skip=skip)] for skip in (0, 2))
    assert all(images(one).equal(images(other)) for one, other in zip(whole[2:], rest, strict=True))


def test_of_several_a_batch_has_one_at_most():
    mixer = Mixer([MixUp(p=0.5), CutMix(p=0.2)], {}, seed=1)
    batch = Batch((torch.rand(4, 1, 6, 6),), {"output": torch.rand(4)}, 4, 4)
    kinds: Counter[str] = Counter()
    for number in range(400):
        made, plain = images(mixer.mixed(batch, 0, number)), images(batch)
        kept = float((made == plain).float().mean())
        kinds["none" if kept == 1 else "mixup" if kept < 0.02 else "cutmix"] += 1
    assert kinds["mixup"] == pytest.approx(200, abs=40)
    assert kinds["none"] == pytest.approx(120, abs=40)
    halves = Mixer([MixUp(p=1.0), CutMix(p=1.0)], {})
    assert not any(images(halves.mixed(batch, 0, number)).equal(plain) for number in range(20) if number)


def test_numbers_and_truths_are_means_too_and_what_is_not_compared_stays():
    mixer = Mixer([MixUp()], {}, ["penalty"])
    targets = {"truth": torch.tensor([0, 1, 1]), "numbers": torch.rand(3, 2), "penalty": torch.tensor([1, 2, 3])}
    made = mixer.mixed(Batch((torch.rand(3, 5),), targets, 3, 3), 0, 0).targets
    share = float(made["truth"][0] - 1) / -1  # its own is 0, the last one's 1
    before = targets["numbers"].roll(1, 0)
    torch.testing.assert_close(made["numbers"], share * targets["numbers"] + (1 - share) * before)
    assert made["penalty"].equal(targets["penalty"])


def loss_of(scores: Tensor, target: Tensor, **arguments: object) -> Tensor:
    loss = ingredients("loss")["cross_entropy"](**arguments)
    objective = Objective({"output": loss}, {})  # type: ignore[dict-item]
    counts = objective.counts({"output": target})
    parts = [slice(0, 2), slice(2, len(target))]
    whole = objective(scores, {"output": target})
    shares = [objective.counts({"output": target[part]})["output"] / counts["output"] for part in parts]
    parted = [objective(scores[part], {"output": target[part]}, {"output": at}) for part, at in zip(parts, shares)]
    torch.testing.assert_close(torch.stack(parted).sum(), whole)  # as with `accumulate`, or several processes
    return whole


def test_the_loss_of_mixed_targets_is_the_mean_of_the_losses_of_both():
    scores, first, second = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1]), torch.tensor([3, 3, 0, 1, 1])
    mixed = 0.7 * F.one_hot(first, 4) + 0.3 * F.one_hot(second, 4)
    wanted = 0.7 * F.cross_entropy(scores, first) + 0.3 * F.cross_entropy(scores, second)
    torch.testing.assert_close(loss_of(scores, mixed), wanted)
    # timm's: the smoothed targets of both are mixed
    smooth = [torch.full((5, 4), 0.1 / 4).scatter(1, each[:, None], 0.9 + 0.1 / 4) for each in (first, second)]
    target = 0.7 * smooth[0] + 0.3 * smooth[1]
    wanted = torch.sum(-target * F.log_softmax(scores, dim=-1), dim=-1).mean()
    torch.testing.assert_close(loss_of(scores, mixed, label_smoothing=0.1), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(loss_of(scores, first, label_smoothing=0.1), loss_of(scores, smooth[0]))


def test_weights_of_classes_count_by_the_shares_of_these():
    scores, classes, weight = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1]), [1.0, 2.0, 0.5, 4.0]
    hard = F.one_hot(classes, 4).float()
    wanted = F.cross_entropy(scores, classes, torch.tensor(weight), label_smoothing=0.1)
    torch.testing.assert_close(loss_of(scores, hard, weight=weight, label_smoothing=0.1), wanted)
    mixed = 0.6 * hard + 0.4 * hard.roll(1, 0)
    of_rows = -(mixed * torch.tensor(weight) * F.log_softmax(scores, 1)).sum(1)
    torch.testing.assert_close(
        loss_of(scores, mixed, weight=weight), of_rows.sum() / (mixed @ torch.tensor(weight)).sum()
    )
