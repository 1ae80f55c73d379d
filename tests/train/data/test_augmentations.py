"""Torchvision's transforms in a run: each image from its own seed, before it is normalised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train import small

from netspec.diagnostics import EnvironmentFault, SpecError, TrainingFault
from netspec.recipes import Column, ingredients
from netspec.train import beforehand
from netspec.train.beforehand import guard_start
from netspec.train.data import Data, TensorRows
from netspec.train.data.batches import Batches, ColumnBinding, prepare_transforms
from netspec.train.names import resolve
from netspec.train.setup import Setup

APART = ("random_erasing", "random_resized_crop", "color_jitter", "rand_augment", "trivial_augment")
JITTER = "{color_jitter: {brightness: 0.5, contrast: 0.5}}"


def images(count: int, *shape: int) -> torch.Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_is_the_same_in_any_batch_and_no_number_is_drawn_from_the_networks_own(name: str, channels: int):
    transform = ingredients("transform")[name]()
    change, rows = resolve(transform.torch), images(10, channels, 8, 8)
    kept, draws = rows.clone(), torch.rand(10, 3, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(1)
    whole = change(transform, rows, draws)
    following = torch.rand(3)
    torch.manual_seed(1)
    assert following.equal(torch.rand(3))
    order = torch.tensor([7, 0, 3])
    assert change(transform, rows[order], draws[order]).equal(whole[order])
    assert rows.equal(kept)
    assert whole.dtype == torch.float32


def test_colours_are_varied_before_images_are_normalised_and_squares_erased_after():
    columns = {"image": Column((3, 6, 6)), "label": Column((), "int64", 2, target=True)}
    rows = TensorRows({"image": images(8, 3, 6, 6), "label": torch.zeros(8, dtype=torch.long)})
    kinds = ingredients("transform")
    prepare = prepare_transforms([kinds["normalize"](mean=0.5, std=0.1)], columns, rows, torch.arange(8))
    augment = [kinds["color_jitter"](brightness=[0.2, 0.2]), kinds["random_erasing"](size=2, p=1.0)]
    binding = ColumnBinding(("image",), {"output": "label"})
    batches = Batches(rows, columns, binding, torch.device("cpu"), prepare, [(each, ("image",)) for each in augment])
    order = []
    for batch in batches.shuffled(0, 4):
        (made,) = batch.inputs
        assert made is not None
        for image in made:
            erased = (image == 0).all(0)
            assert 1 <= int(erased.sum()) <= 4  # zeros of the network's own scale
            darker = (rows.tensors["image"] * 0.2 - 0.5) / 0.1
            same = [(image - each)[:, ~erased].abs().max() < 1e-4 for each in darker]
            assert sum(map(bool, same)) == 1
            order.append(same.index(True))
    assert sorted(order) == [*range(8)]
    judged = next(iter(batches.every(8))).inputs[0]
    assert judged is not None
    torch.testing.assert_close(judged, (rows.tensors["image"] - 0.5) / 0.1)


def test_a_run_goes_on_bit_for_bit(tmp_path: Path):
    keys = {"prepare": "[standardize]", "augment": "[random_resized_crop, trivial_augment, random_erasing, mixup]"}
    small.guard_resumes(small.graph(tmp_path, checkpoint="{steps: 1}", epochs="1", **keys), tmp_path)


def test_a_network_is_trained_at_another_size(tmp_path: Path):
    text = small.SPEC.replace("[N, 1, 28, 28]", "[N, 1, H, W]").replace("- flatten", "- global_avg_pool")
    graph = small.graph(tmp_path, text, augment="[{random_resized_crop: 20}]", epochs="1")
    setup = Setup(graph, small.data(), torch.device("cpu"))
    shapes = [next(iter(each)).inputs[0].shape for each in (setup.train.shuffled(0, 10), setup.train.every(10))]
    assert shapes == [(10, 1, 20, 20), (10, 1, 28, 28)]
    with pytest.raises(SpecError, match="has rows of 1×20×20, but rows of"):
        small.graph(tmp_path, augment="[{random_resized_crop: 20}]")


def test_without_torchvision_it_is_told_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    setup = Setup(small.graph(tmp_path, augment="[random_erasing]"), small.data(), torch.device("cpu"))
    monkeypatch.setattr(beforehand, "find_spec", lambda name: None if name == "torchvision" else object())
    with pytest.raises(EnvironmentFault, match=r"`random_erasing` \(line 17\) needs torchvision.*netspec\[data\]"):
        guard_start(setup)
    guard_start(Setup(small.graph(tmp_path, augment="[random_erasing: 3]"), small.data(), torch.device("cpu")))


def test_colours_outside_of_0_to_1_are_refused(tmp_path: Path):
    data = small.data()
    assert isinstance(data.train, TensorRows)
    far = TensorRows({**data.train.tensors, "image": data.train.tensors["image"].float() - 3})
    setup = Setup(small.graph(tmp_path, augment=f"[{JITTER}]"), Data(data.columns, far), torch.device("cpu"))
    with pytest.raises(TrainingFault, match=r"takes images from 0 to 1, but `image` has numbers from -3 to"):
        guard_start(setup)
