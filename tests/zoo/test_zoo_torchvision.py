"""torchvision's checkpoints in our networks: its keys, its numbers, its published costs, its initialisation."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from zoo.networks import compiled, on_meta
from zoo.vision import build, difference, models

import netspec
from netspec.dims import evaluate
from netspec.elaborate.passes.sizes import other_sizes
from netspec.graph import Node, walk
from netspec.ops import OPS
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module

THEIRS = {
    "alexnet_torchvision": "alexnet",
    **{name + norm: name + norm for name in ("vgg11", "vgg13", "vgg16", "vgg19") for norm in ("", "_bn")},
    **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")},
    **{name: name for name in ("densenet121", "densenet161", "densenet169", "densenet201")},
    **{name: name for name in ("googlenet", "inception_v3", "mobilenet_v2")},
    **{name: name for name in ("squeezenet1_0", "squeezenet1_1")},
    **{f"shufflenet_v2_x{width}": f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")},
    **{f"mobilenet_v3_{size}": f"mobilenet_v3_{size}" for size in ("small", "large")},
    **{
        f"efficientnet_{size}": f"efficientnet_{size}"
        for size in (*map("b{}".format, range(8)), "v2_s", "v2_m", "v2_l")
    },
    **{name: name for name in ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d")},
    **{name: name for name in ("wide_resnet50_2", "wide_resnet101_2")},
}
SMALL = (
    "squeezenet1_0",
    "squeezenet1_1",
    "shufflenet_v2_x0_5",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "efficientnet_v2_s",
)
"""The least of the families that are compared by keys and arguments otherwise."""
COMPUTED = [*[*THEIRS][: [*THEIRS].index(SMALL[0])], *SMALL]
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
    count, height, width = sizes
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height))


ARGUMENTS = ("eps", "momentum", "p", "stride", "padding", "dilation", "groups", "num_heads")


@pytest.mark.parametrize("name", THEIRS)
def test_keys_shapes_and_arguments_are_theirs(name: str) -> None:
    with torch.device("meta"):
        theirs = models.get_model(THEIRS[name], weights=None, **options(name))
    ours = on_meta(name)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    modules = dict(ours.named_modules())
    for path, module in theirs.named_modules():
        if type(modules.get(path)) is type(module):
            for argument in ARGUMENTS:
                assert getattr(module, argument, 0) == getattr(modules[path], argument, 0), f"{path}.{argument}"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPUTED)
def test_a_checkpoint_loads_and_gives_the_same_outputs(name: str) -> None:
    theirs = built(name).eval()
    ours = loaded(name, theirs).eval()
    for sizes in INCEPTION_SIZES if name == "inception_v3" else SIZES:
        with torch.no_grad():
            want, got = theirs(images(*sizes)), ours(images(*sizes))
        assert want.std() > 0
        assert difference(want, got) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_gradients_are_theirs(name: str) -> None:
    theirs = built(name).eval()
    ours = loaded(name, deepcopy(theirs)).requires_grad_().eval()
    for module in (theirs, ours):
        module(images(2, 64, 96)).square().mean().backward()
    for (key, want), got in zip(theirs.named_parameters(), ours.parameters()):
        assert want.grad is not None
        assert (want.grad - got.grad).abs().max() <= 1e-4 * want.grad.abs().max(), key


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


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b3", "efficientnet_v2_s"])
def test_rows_skip_blocks_as_often_as_theirs(name: str) -> None:
    with torch.device("meta"):
        theirs = models.get_model(THEIRS[name], weights=None)
    made = [block.stochastic_depth.p for block in theirs.modules() if getattr(block, "use_res_connect", False)]
    steps = [step for _, step, _ in walk(compiled(name)[0].body) if isinstance(step, Node)]
    ours = [step.op.p for step in steps if isinstance(step.op, OPS["stochastic_depth"])]
    assert ours == [p for p in made if p > 0]


@pytest.mark.parametrize("name", THEIRS)
def test_costs_are_those_that_torchvision_publishes(name: str) -> None:
    graph, _ = compiled("googlenet_no_aux" if name == "googlenet" else name)
    published = models.get_model_weights(THEIRS[name]).DEFAULT.meta
    assert graph.body.parameter_count == published["num_params"]
    assert round(evaluate(graph.body.macs, graph.sizes) / 1e9, 3) == published["_ops"]


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
