"""torchvision's checkpoints in our networks: its keys, its numbers, its published costs, its initialisation."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from zoo.networks import BUILDS, compiled, forms, on_meta
from zoo.vision import build, difference, models, outlined

import netspec
from netspec.dims import evaluate
from netspec.elaborate.passes.sizes import other_sizes
from netspec.graph import Node, walk
from netspec.ops import OPS
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module

SAME = {*models.list_models()} & {*BUILDS} - {"alexnet"}
THEIRS = {"alexnet_torchvision": "alexnet", **{name: name for name in BUILDS if name in SAME and name[:3] != "vit"}}
"""Their name of every build that torchvision has; its ViT takes images of one size, and is judged with attention."""
COMPUTED = forms(THEIRS)
"""One of each form of a family: the others differ in numbers, which are held against theirs without values."""
SIZES = ((2, 64, 64), (1, 79, 98))
INCEPTION_SIZES = ((2, 75, 75), (1, 107, 82))  # 75 is the least that it takes
TOLERANCE = 1e-5


def options(name: str) -> dict[str, bool]:
    """Theirs say that they are about to change these initial values, where one does not ask for them."""
    return {"init_weights": False} if name in ("googlenet", "inception_v3") else {}


def built(name: str) -> nn.Module:
    return build(THEIRS[name], **options(name))


def loaded(name: str, theirs: nn.Module) -> nn.Module:
    """Our module with a copy of their checkpoint."""
    module = on_meta(name)
    module.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    return module


def images(*sizes: int) -> Tensor:
    """Return images of a count, perhaps of frames, a height and a width."""
    return torch.randn(sizes[0], 3, *sizes[1:], generator=torch.Generator().manual_seed(sizes[-2]))


def main(made: Tensor | dict[str, Tensor]) -> Tensor:
    """Return the output that inference is for; networks for segmentation also give that of a head for training."""
    return made["out"] if isinstance(made, dict) else made


def sizes_of(name: str) -> tuple[tuple[int, ...], ...]:
    if "video" in compiled(name)[0].inputs:
        return ((2, 5, 20, 28), (1, 8, 33, 17))
    if name.startswith("swin"):  # which takes images of one size
        return ((1, 224, 224), (1, 224, 224))
    return INCEPTION_SIZES if name == "inception_v3" else SIZES


ARGUMENTS = ("eps", "momentum", "p", "stride", "padding", "dilation", "groups", "num_heads")


@pytest.mark.parametrize("name", THEIRS)
def test_keys_shapes_and_arguments_are_theirs(name: str) -> None:
    theirs = outlined(THEIRS[name], **options(name))
    ours = on_meta(name)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    modules = dict(ours.named_modules())
    for path, module in theirs.named_modules():
        if type(modules.get(path)) is type(module):
            for argument in ARGUMENTS:
                assert getattr(module, argument, 0) == getattr(modules[path], argument, 0), f"{path}.{argument}"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPUTED)
def test_a_checkpoint_loads_and_gives_the_same_outputs_and_gradients(name: str) -> None:
    theirs = built(name).eval()
    ours = loaded(name, deepcopy(theirs)).eval().requires_grad_()
    first, second = sizes_of(name)
    with torch.no_grad():
        assert difference(main(theirs(images(*second))), main(ours(images(*second)))) < TOLERANCE
    want, got = main(theirs(images(*first))), main(ours(images(*first)))
    assert want.std() > 0
    assert difference(want, got) < TOLERANCE
    for made in (want, got):
        made.square().mean().backward()
    for key, parameter in theirs.named_parameters():
        mine = ours.get_parameter(key).grad
        if parameter.grad is None:  # a head for training
            assert mine is None, key
        else:
            assert (parameter.grad - mine).abs().max() <= 1e-4 * parameter.grad.abs().max(), key


@pytest.mark.parametrize(("height", "width", "taken"), [(75, 75, True), (74, 75, False), (75, 74, False)])
def test_the_training_head_of_inception_does_not_bind_inference(height: int, width: int, taken: bool) -> None:
    theirs = built("inception_v3").eval()
    if not taken:
        with pytest.raises(RuntimeError, match="can't be greater than actual input size"), torch.no_grad():
            theirs(images(1, height, width))
        with pytest.raises(netspec.SpecError, match="shape-mismatch"):
            compile_spec("inception_v3", sizes={"H": height, "W": width})
        return
    graph = compile_spec("inception_v3", sizes={"H": height, "W": width})
    assert graph.sizes == {"N": 1, "H": height, "W": width}
    for sizes in other_sizes(graph, 3):
        with torch.no_grad():
            assert theirs(images(sizes["N"], sizes["H"], sizes["W"])).shape == (sizes["N"], 1000)


def test_googlenet_without_heads_takes_a_checkpoint_without_them() -> None:
    theirs = build("googlenet", init_weights=False, aux_logits=False).eval()
    ours = loaded("googlenet_no_aux", theirs).eval()
    with torch.no_grad():
        assert difference(theirs(images(1, 70, 90)), ours(images(1, 70, 90))) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "heads"),
    [
        ("googlenet", (4, 96, 128), ("logits", "aux2", "aux1")),
        ("inception_v3", (2, 299, 299), ("logits", "aux_logits")),
    ],
)
def test_a_network_with_heads_for_training_trains_as_theirs(
    name: str, sizes: tuple[int, int, int], heads: tuple[str, ...]
) -> None:
    theirs = built(name).train()
    ours = loaded(name, deepcopy(theirs)).train()
    torch.manual_seed(1)  # the same dropout, drawn in the same order
    want = theirs(images(*sizes))
    torch.manual_seed(1)
    got = ours(images(*sizes))
    assert tuple(got) == heads
    for theirs_made, ours_made in zip(want, got.values()):
        assert difference(theirs_made, ours_made) < TOLERANCE
    for key, statistic in theirs.state_dict().items():
        assert torch.allclose(statistic, ours.state_dict()[key], rtol=1e-4, atol=1e-6), key
    sum(value.square().mean() for value in got.values()).backward()
    assert all(parameter.grad is not None for parameter in ours.parameters())


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b3", "efficientnet_v2_s", "convnext_small"])
def test_rows_skip_blocks_as_often_as_theirs(name: str) -> None:
    theirs = outlined(THEIRS[name])
    blocks = [block for block in theirs.modules() if hasattr(block, "stochastic_depth")]
    made = [block.stochastic_depth.p for block in blocks if getattr(block, "use_res_connect", True)]
    steps = [step for _, step, _ in walk(compiled(name)[0].body) if isinstance(step, Node)]
    ours = [step.op.p for step in steps if isinstance(step.op, OPS["stochastic_depth"])]
    assert ours == [p for p in made if p > 0]


@pytest.mark.parametrize("name", THEIRS)
def test_costs_are_those_that_torchvision_publishes(name: str) -> None:
    graph, _ = compiled("googlenet_no_aux" if name == "googlenet" else name)
    published = [weights.meta for weights in models.get_model_weights(THEIRS[name])]  # some for larger images
    assert graph.body.parameter_count == published[0]["num_params"]
    nodes = [
        step for path, step, _ in walk(graph.body) if isinstance(step, Node) and path.startswith("aux_classifier.")
    ]
    macs = sum((node.macs for node in nodes), graph.body.macs)  # theirs count the head for training of segmentation
    assert round(evaluate(macs, graph.sizes) / 1e9, 3) in [each["_ops"] for each in published]


@pytest.mark.parametrize("multiplier", [0.05, 0.35, 0.75, 1.3, 2.0])
def test_mobilenet_is_as_wide_as_theirs_by_any_multiplier(multiplier: float) -> None:
    theirs = build("mobilenet_v2", width_mult=multiplier).eval()
    ours = netspec.load("mobilenet_v2", multiplier=multiplier).module().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    with torch.no_grad():
        assert difference(theirs(images(1, 41, 64)), ours(images(1, 41, 64))) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {}),
        ("vgg11", {}),
        ("densenet121", {}),
        ("mobilenet_v2", {}),
        ("squeezenet1_1", {}),
        ("shufflenet_v2_x0_5", {}),
        ("mobilenet_v3_small", {}),
        ("efficientnet_b0", {}),
        ("convnext_tiny", {}),
        ("mnasnet0_5", {}),
        ("r2plus1d_18", {}),
        ("swin_t", {}),
        ("googlenet", {"init_weights": True}),
        ("inception_v3", {"init_weights": True}),
    ],
)
def test_initial_values_are_distributed_as_theirs(name: str, options: dict[str, bool]) -> None:
    """Means and deviations agree within what chance allows; constants exactly."""
    torch.manual_seed(0)
    theirs = models.get_model(THEIRS[name], weights=None, **options).state_dict()
    ours = build_module(compiled(name)[0]).state_dict()
    assert set(ours) == set(theirs)
    for key, want in theirs.items():
        got = ours[key].double()
        if not want.is_floating_point() or want.numel() == 1 or want.std() == 0:
            assert torch.equal(ours[key], want), key
        elif want.numel() > 1000:
            spread, chance = want.double().std().item(), 6 / want.numel() ** 0.5
            assert abs(got.std().item() / spread - 1) < chance, key
            assert abs(got.mean().item()) < chance * spread, key
            assert got.abs().max() < 1.5 * want.abs().max(), key
