"""The module that executes the emitted source behaves like one from an imported file."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch

import netspec
from netspec import zoo
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.verify import export_verified

SMALL = ["lenet", "resnet20", "googlenet", "alexnet_d2l", "mlp", "vgg11", "nin"]


def run(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return module(*inputs.values())


@pytest.fixture(scope="module")
def lenet() -> tuple[netspec.Model, torch.nn.Module, dict[str, torch.Tensor]]:
    model = netspec.load("lenet")
    return model, model.module().eval(), example_inputs(model.graph, {"N": 2})


def test_deepcopy(lenet):
    _, module, inputs = lenet
    twin = copy.deepcopy(module)
    assert torch.equal(run(twin, inputs), run(module, inputs))
    twin[0].weight.data.zero_()
    assert not torch.equal(run(twin, inputs), run(module, inputs))


@pytest.mark.slow
def test_a_fresh_process_unpickles(lenet, tmp_path: Path):
    _, module, inputs = lenet
    file = tmp_path / "module.pickle"
    file.write_bytes(pickle.dumps((module, inputs, run(module, inputs))))
    code = (
        f"import pickle, torch; m, x, y = pickle.load(open({str(file)!r}, 'rb'))\n"
        "assert torch.equal(m(*x.values()), y); print(type(m).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Lenet\n"


def test_blocks_pickle_on_their_own():
    block = netspec.load("resnet20").module().layer1[0].eval()
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(pickle.loads(pickle.dumps(block))(x), block(x))


def test_tracebacks_show_the_source():
    module = netspec.load("resnet20").module()
    with pytest.raises(RuntimeError) as caught:
        module(torch.randn(1, 5, 32, 32))
    shown = "".join(traceback.format_exception(caught.value))
    assert "x = self.conv1(image)" in shown


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_compile_takes_the_whole_graph(name: str):
    torch.compiler.reset()
    model = netspec.load(name)
    module, inputs = model.module().eval(), example_inputs(model.graph, model.graph.sizes)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(run(compiled, inputs), run(module, inputs))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_torch_export_with_dynamic_batch(name: str):
    model = netspec.load(name)
    module = model.module().eval()
    two, five = (example_inputs(model.graph, {**model.graph.sizes, "N": size}) for size in (2, 5))
    shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in two)
    exported = torch.export.export(module, tuple(two.values()), dynamic_shapes=shapes).module()
    torch.testing.assert_close(run(exported, five), run(module, five), rtol=1e-4, atol=1e-5)


def test_dtype_and_device():
    module = netspec.load("mlp").module(device="cpu", dtype=torch.float64)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float64}
    with pytest.raises(netspec.EnvironmentFault, match="no device `warp`"):
        netspec.load("mlp").module(device="warp")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_that_is_not_there():
    with pytest.raises(netspec.EnvironmentFault, match="torch finds no CUDA device"):
        netspec.load("mlp").module(device="cuda")


def test_the_zoo_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert netspec.load("resnet50").name == "resnet50"
    assert len(zoo.files()) >= 10


@pytest.mark.parametrize(
    ("merge", "joined"),
    [
        ("add", torch.add),
        ("multiply", torch.mul),
        ("maximum", torch.maximum),
        ("concat", lambda *branches: torch.cat(branches, 1)),
    ],
)
def test_a_residual_joins_what_its_body_makes_with_its_input_in_this_order(merge: str, joined, tmp_path: Path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 5]}\n"
        f"network:\n  - residual: {{merge: {merge}, body: [{{scale: -0.25}}]}}\n"
    )
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(netspec.load(path).module()(x), joined(-0.25 * x, x))


def test_a_module_that_is_only_a_part_of_its_step_stands_in_no_chain(tmp_path: Path):
    path = tmp_path / "net.yaml"
    steps = "linear: {out_features: 8}, learned_positions: 16, linear: 4"
    path.write_text(f"netspec: 1\nname: net\ndims: {{T: 5}}\ninputs: {{x: [N, T, 8]}}\nnetwork: [{steps}]\n")
    module = netspec.load(path).module()
    x = torch.randn(2, 5, 8)
    first, places, last = module.children()
    assert torch.equal(module(x), last(first(x) + places.weight[:5]))


def test_an_output_of_training_alone_may_be_any_value(tmp_path: Path):
    spec = tmp_path / "vae.yaml"
    spec.write_text(
        "netspec: 1\nname: vae\ninputs: {x: [N, 8]}\n"
        "network:\n  - linear: {name: mu, out_features: 2}\n  - linear: {name: deviation, from: x, out_features: 2}\n"
        "  - exp\n  - add: {from: [mu, prev]}\n  - linear: {name: decoder, out_features: 8}\n"
        "outputs: {deviation: {from: deviation, when: training}, x_: decoder, mu: {from: mu, when: training}}\n"
    )
    model = netspec.load(spec)
    module = model.module()
    assert list(module(torch.zeros(3, 8))) == ["deviation", "x_", "mu"]
    assert module.eval()(torch.zeros(3, 8)).shape == (3, 8)
    _, parity = export_verified(model.graph, module, tmp_path / "vae.onnx")
    assert parity.agrees
