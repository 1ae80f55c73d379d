"""Networks as steps: what a used network is like inside, what can be taken of it, and where its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.vision import build, difference, models, randomised

import netspec
from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.diagnostics import Diagnostic, SpecError
from netspec.emit.source import emit_source
from netspec.graph import Graph, walk, walk_state
from netspec.pipeline import compile_loaded, compile_spec, load_spec
from netspec.runtime.module import build_module

HEAD = "netspec: 1\nname: net\ninputs: {image: [N, 3, H, W]}\n"
INNER = """\
netspec: 1
name: inner
params: {width: 8, deep: false}
variants: {wide: {width: 32}}
dims: {T: {default: 4, max: 16}}
inputs: {x: [B, T, 6], y: {shape: [B, T, 6], optional: true}}
blocks: {half: {body: [linear: width // 2]}}
network:
  - linear: {name: first, out_features: width, from: x}
  - half: {name: second}
  - relu: {name: third}
  - if: {test: deep, then: [linear: {name: fourth, out_features: 2}]}
outputs: {made: prev, early: first}
init: {linear.weight: zeros, second.0.weight: ones}
"""


def write(folder: Path, network: str, inner: str = INNER, head: str = "inputs: {x: [N, L, 6]}") -> Path:
    (folder / "inner.yaml").write_text(inner)
    path = folder / "net.yaml"
    path.write_text(f"netspec: 1\nname: net\n{head}\nnetwork:\n{network}\n")
    return path


def keys(graph: Graph) -> list[str]:
    return [key for key, _ in walk_state(graph.body)]


def faults(path: Path) -> list[Diagnostic]:
    try:
        return list(check_loaded(load_spec(path)).diagnostics)
    except SpecError as found:
        return found.diagnostics


def message(path: Path) -> str:
    (fault,) = faults(path)
    return fault.message


@pytest.mark.slow
def test_a_backbone_takes_torchvisions_checkpoint_and_gives_its_features(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(
        HEAD + "network: [use: {name: backbone, network: resnet18, outputs: {low: layer2, high: layer4}}]\n"
        "outputs: {low: backbone.low, high: backbone.high}\n"
    )
    theirs = build("resnet18").eval()
    ours = netspec.load(tmp_path / "net.yaml").module().eval()
    state = {f"backbone.{key}": value for key, value in theirs.state_dict().items() if not key.startswith("fc.")}
    ours.load_state_dict(state, strict=True)
    image = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    kept = {}
    for name in ("layer2", "layer4"):
        theirs.get_submodule(name).register_forward_hook(lambda module, _, made, name=name: kept.update({name: made}))
    with torch.no_grad():
        theirs(image)
        made = ours(image)
    assert difference(kept["layer2"], made["low"]) < 1e-6
    assert difference(kept["layer4"], made["high"]) < 1e-6


FCN = """\
netspec: 1
name: fcn_resnet50
inputs: {image: [N, 3, H, W]}
network:
  - use: {name: backbone, network: resnet50, params: {dilations: [1, 1, 2, 4]}, upto: layer4}
  - sequential:
      name: classifier
      body:
        - conv2d: {out_channels: 512, kernel_size: 3, padding: 1, bias: false}
        - batch_norm2d
        - relu
        - dropout: 0.1
        - conv2d: {out_channels: 21, kernel_size: 1}
  - upsample: {scale_factor: 8, mode: bilinear, align_corners: false}
"""


@pytest.mark.slow
def test_fcn_is_torchvisions(tmp_path: Path):
    (tmp_path / "fcn.yaml").write_text(FCN)
    theirs = models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21)
    theirs = randomised(theirs).eval()
    ours = netspec.load(tmp_path / "fcn.yaml").module().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    image = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert difference(theirs(image)["out"], ours(image)) < 1e-5


def test_a_whole_network_is_as_it_is_by_itself():
    alone = compile_spec("resnet18")
    loaded = netspec.pipeline.load_source(
        netspec.diagnostics.Source("net.yaml", HEAD + "network: [use: {name: it, network: resnet18}]\n")
    )
    used = compile_loaded(loaded)
    assert keys(used) == [f"it.{key}" for key in keys(alone)]
    assert used.body.macs.terms == alone.body.macs.terms
    assert used.body.steps[0].init[0].keys == {f"{path}.weight" for path, step, _ in walk(alone.body) if _is_conv(step)}


def _is_conv(step: object) -> bool:
    return getattr(getattr(step, "op", None), "name", "") == "conv2d"


def test_the_source_fills_what_is_below_a_network_by_its_class():
    text = (
        HEAD
        + "network: [use: {name: it, network: resnet18, upto: layer2}, conv2d: {out_channels: 4, kernel_size: 1}]\n"
    )
    graph = compile_loaded(netspec.pipeline.load_source(netspec.diagnostics.Source("net.yaml", text)))
    source = emit_source(graph).text
    assert 'for module in self.get_submodule("it").modules():' in source
    module = build_module(graph)
    assert module.get_parameter("it.conv1.weight").std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.05)


def test_its_parameters_blocks_and_dimensions_are_its_own(tmp_path: Path):
    path = write(tmp_path, "  - use: {name: a, network: inner.yaml, variant: wide}\n  - linear: 6\n  - use: inner.yaml")
    graph = compile_spec(path)
    shapes = {key: shape for key, shape in walk_state(graph.body)}
    assert shapes["a.first.weight"] == (32, 6)
    assert shapes["a.second.0.weight"] == (16, 32)
    assert shapes["2.first.weight"] == (8, 6)
    assert [str(size) for size in graph.inputs["x"].shape] == ["N", "L", "6"]
    assert "must be at most 16" in str([each.reason for each in graph.requirements])


def test_its_rules_fill_its_parameters_and_the_steps_own_come_before_them(tmp_path: Path):
    network = "  - use: {name: a, network: inner.yaml}\n  - use: {name: b, network: inner.yaml, from: x, init: "
    network += "{first.weight: ones}}\n  - linear: {name: c, out_features: 3}\noutputs: {one: a, two: c}"
    path = write(tmp_path, network)
    module = netspec.load(path).module()
    assert module.a.first.weight.unique().tolist() == [0.0]
    assert module.a.get_parameter("second.0.weight").unique().tolist() == [1.0]
    assert module.b.first.weight.unique().tolist() == [1.0]
    assert module.c.weight.unique().numel() > 1


def test_what_outputs_do_not_need_is_left_out(tmp_path: Path):
    used = "  - use: {name: a, network: inner.yaml, params: {deep: true}, outputs: [first, second]}"
    path = write(tmp_path, f"{used}\noutputs: {{one: a.first, two: a.second}}")
    assert keys(compile_spec(path)) == ["a.first.weight", "a.first.bias", "a.second.0.weight", "a.second.0.bias"]
    assert keys(compile_spec(write(tmp_path, used))) == ["a.first.weight", "a.first.bias"]  # nothing reads `a.second`
    path = write(tmp_path, "  - use: {name: a, network: inner.yaml, params: {deep: true}, upto: first}")
    assert keys(compile_spec(path)) == ["a.first.weight", "a.first.bias"]
    path = write(tmp_path, "  - use: {name: a, network: inner.yaml, outputs: {it: early}}\n  - linear: 2")
    assert keys(compile_spec(path))[:2] == ["a.first.weight", "a.first.bias"]
    assert len(keys(compile_spec(path))) == 4


def test_what_reads_a_step_left_out_reads_what_it_would_read(tmp_path: Path):
    path = write(tmp_path, "  - use: {name: a, network: inner.yaml, without: [first], outputs: [made]}")
    graph = compile_spec(path)
    assert {key: shape for key, shape in walk_state(graph.body)}["a.second.0.weight"] == (4, 6)
    assert graph.outputs["output"].value.shape[-1] == 4


def test_a_network_is_shared_with_its_weights(tmp_path: Path):
    network = """\
  - use: {name: one, network: inner.yaml, from: a, outputs: [made]}
  - share: {step: one, name: two, from: b}
  - subtract: {from: [one, two]}"""
    path = write(tmp_path, network, head="inputs: {a: [N, L, 6], b: [N, L, 6]}")
    assert keys(compile_spec(path)) == [
        "one.first.weight",
        "one.first.bias",
        "one.second.0.weight",
        "one.second.0.bias",
    ]


def test_inputs_are_given_by_name_and_may_be_left_out(tmp_path: Path):
    path = write(tmp_path, "  - use: {network: inner.yaml, from: {x: a}}", head="inputs: {a: [N, 4, 6]}")
    assert faults(path) == []
    path = write(tmp_path, "  - use: {network: inner.yaml, from: {z: a}}", head="inputs: {a: [N, 4, 6]}")
    assert message(path) == "`inner.yaml` has no input `z`"


def test_a_fault_inside_is_told_in_its_file_with_the_way_there(tmp_path: Path):
    inner = INNER.replace("width // 2", "width // 0")
    (fault,) = faults(write(tmp_path, "  - use: {name: a, network: inner.yaml}", inner))
    assert fault.primary.span.source.name.endswith("inner.yaml")
    assert fault.primary.span.line == 7
    assert fault.trail[0].startswith("block half, a.second (")
    assert fault.trail[1] == "network inner.yaml, a (line 5)"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("use: inner.yml", "there is no file `inner.yml`"),
        ("use: ../inner.yaml", "the path leads outside the project"),
        ("use: /etc/passwd.yaml", "an import must be a relative path"),
        ("use: https://x.org/a.yaml", "an import must be a file, not a URL"),
        ("use: resnet51", "there is no network `resnet51`"),
        ("use: net.yaml", "the files use each other: net.yaml -> net.yaml"),
        ("use: '{x}'", "a network that is used must be named outright: it is read before parameters have values"),
        ("use: {network: inner.yaml, variant: narrow}", "`inner.yaml` has no variant `narrow`"),
        ("use: {network: resnet18, variant: resnet50}", "`resnet18` is a variant already"),
        ("use: {network: inner.yaml, params: {widht: 3}}", "`inner.yaml` has no parameter `widht`"),
        ("use: {network: inner.yaml, params: {width: a}}", "unknown name `a`"),
        ("use: {network: inner.yaml, without: [fifth]}", "the network `inner.yaml` has no step `fifth`"),
        ("use: {network: inner.yaml, upto: fifth}", "there is no step named `fifth` here"),
        ("use: {network: inner.yaml, upto: first, outputs: [first]}", "`upto` is beside `outputs`"),
        ("use: {network: inner.yaml, outputs: [second.0]}", "`second.0` cannot name an output"),
        ("use: resnet18", "the input `image` of `resnet18` has 4 dimensions, but [N, L, 6] is given"),
        ("use: gpt2", "the input `ids` of `gpt2` is int64, not float32"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, step: str, told: str):
    assert message(write(tmp_path, f"  - {step}")) == told


def test_sizes_that_do_not_fit_are_told_with_the_parameter_to_set(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(HEAD.replace("3, H", "1, H") + "network: [use: resnet18]\n")
    (fault,) = faults(tmp_path / "net.yaml")
    assert fault.message == "the input `image` of `resnet18` is [N, 3, H, W], but [N, 1, H, W] is given"
    assert fault.help == "set its parameter: `params: {channels: 1}`"


def test_networks_that_use_each_other_are_refused(tmp_path: Path):
    inner = "netspec: 1\nname: inner\ninputs: {x: [N, L, 6]}\nnetwork: [use: net.yaml]\n"
    path = write(tmp_path, "  - use: inner.yaml", inner)
    assert message(path) == "the files use each other: net.yaml -> inner.yaml -> net.yaml"
    library = "netspec: 1\nblocks: {it: {body: [use: net.yaml]}}\n"
    path = write(tmp_path, "  - it", library, "import: [inner.yaml]\ninputs: {x: [N, L, 6]}")
    assert message(path) == "the files use each other: net.yaml -> inner.yaml -> net.yaml"


def test_layers_and_levels_are_bounded_together(tmp_path: Path):
    inner = INNER.replace("  - relu: {name: third}\n", "  - repeat: {count: 9000, body: [relu]}\n")
    path = write(
        tmp_path, "  - use: inner.yaml\n  - linear: 6\n  - use: inner.yaml\n  - linear: 6\n  - use: inner.yaml", inner
    )
    assert message(path) == "the network has more than 20,000 layers"
    for number in range(33):
        step = f"use: n{number + 1}.yaml" if number < 32 else "relu"
        text = f"netspec: 1\nname: n\ninputs: {{x: [N, L, 6]}}\nnetwork: [{step}]\n"
        (tmp_path / f"n{number}.yaml").write_text(text)
    path = write(tmp_path, "  - use: n0.yaml")
    assert "nested more than 32 levels deep" in message(path)


def test_tied_parameters_are_tied_in_each_use(tmp_path: Path):
    inner = "netspec: 1\nname: inner\ninputs: {x: [N, M, D]}\nnetwork:\n  - linear: {name: a, out_features: 6}\n"
    inner += "  - relu\n  - linear: {name: b, out_features: 6, tie: {weight: a.weight}}\n"
    steps = "  - use: {name: one, network: inner.yaml}\n  - use: {name: two, network: inner.yaml}"
    module = netspec.load(write(tmp_path, steps, inner)).module()
    for used in (module.one, module.two):
        assert used.a.weight is used.b.weight
    assert module.one.a.weight is not module.two.a.weight
    steps = "  - repeat: {count: 2, name: h, body: [use: {name: own, network: inner.yaml}]}"
    module = netspec.load(write(tmp_path, steps, inner)).module()
    first, second = (module.get_submodule(f"h.{at}.own") for at in range(2))
    assert first.a.weight is first.b.weight
    assert first.a.weight is not second.a.weight
    block = "inputs: {x: [N, L, 6]}\nblocks: {it: {body: [use: inner.yaml]}}"
    module = netspec.load(write(tmp_path, "  - it: {name: p}\n  - it: {name: q}", inner, block)).module()
    first, second = (module.get_submodule(f"{name}.0") for name in "pq")
    assert first.a.weight is first.b.weight
    assert first.a.weight is not second.a.weight


@pytest.mark.slow
def test_the_zoo_can_be_used(tmp_path: Path):
    """Every network of one input, as a step: its keys are the same, behind a name."""
    for file in zoo.files():
        spec = load_spec(file).spec
        graph = compile_spec(file)
        value = next(iter(graph.inputs.values()))
        if len(graph.inputs) > 1:
            continue
        shape = ", ".join(map(str, value.shape))
        head = f"dims: {dict(graph.sizes)}\ninputs: {{x: {{shape: [{shape}], dtype: {value.tensor.dtype}}}}}"
        network = f"  - use: {{name: it, network: {spec.name}}}"
        given = [name for name, output in graph.outputs.items() if not output.training]
        if len(given) > 1:
            network += f"\noutputs: {{{', '.join(f'out{at}: it.{name}' for at, name in enumerate(given))}}}"
        used = compile_spec(write(tmp_path, network, head=head))
        training = tuple(f"{path}." for path, _, training in walk(graph.body) if training)
        assert keys(used) == [f"it.{key}" for key in keys(graph) if not key.startswith(training)], spec.name
