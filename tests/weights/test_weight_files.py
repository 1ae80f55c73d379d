"""The formats of weights: what torch, safetensors and transformers write is loaded, what is damaged is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from zoo import language, vision

import netspec
from netspec.cli import main
from netspec.diagnostics import EnvironmentFault, NetspecError, UsageError
from netspec.weights.files.safetensors import write_tensors

SPEC = """\
netspec: 1
name: small
inputs: {image: [N, 3, 8, 8]}
network:
  - conv2d: {name: conv, out_channels: 4, kernel_size: 3}
  - batch_norm2d: {name: norm}
  - global_avg_pool: {name: pool}
  - flatten: {name: flat}
  - linear: {name: fc, out_features: 5}
"""


@pytest.fixture(name="model")
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> netspec.Model:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SPEC)
    return netspec.load("small.yaml")


def state(model: netspec.Model) -> dict[str, Tensor]:
    """Weights that no initialisation gives."""
    return dict(vision.randomised(model.module()).state_dict())


def same(module: nn.Module, state: dict[str, Tensor]) -> bool:
    found = module.state_dict()
    return found.keys() == state.keys() and all(torch.equal(found[key], state[key]) for key in state)


def test_each_format_gives_the_same(model: netspec.Model) -> None:
    wanted = state(model)
    torch.save(wanted, "new.pth")
    torch.save(OrderedDict(wanted), "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": wanted, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, "run.ckpt")
    torch.save({"model": wanted, "ema": wanted}, "two.bin")
    save_file(wanted, "file.safetensors")
    write_tensors(wanted, Path("ours.safetensors"))
    for name in ("new.pth", "old.pt", "run.ckpt", "two.bin", "file.safetensors", Path("ours.safetensors")):
        assert same(model.module(weights=name), wanted), name
    torch.save({"one": wanted, "two": wanted}, "two.pth")
    with pytest.raises(UsageError, match=r"several networks, under `one.` and `two.`: .*prefix: one.\}"):
        model.module(weights="two.pth")
    assert same(model.module(weights={"from": "two.pth", "prefix": "two."}), wanted)


def test_numbers_become_those_of_the_network(model: netspec.Model) -> None:
    wanted = {key: each.half() if each.is_floating_point() else each for key, each in state(model).items()}
    save_file(wanted, "half.safetensors")
    module = model.module(weights="half.safetensors")
    assert same(module, {key: each.float() if each.is_floating_point() else each for key, each in wanted.items()})
    double = model.module(dtype=torch.float64, weights="half.safetensors")
    assert torch.equal(double.fc.weight, wanted["fc.weight"].double())
    save_file({**wanted, "fc.weight": torch.ones(5, 4, dtype=torch.int8)}, "whole.safetensors")
    with pytest.raises(UsageError, match=r"`fc.weight` is int8 in whole.safetensors, and the spec has float32"):
        model.module(weights="whole.safetensors")


def test_what_is_skipped_keeps_its_initial_values(model: netspec.Model) -> None:
    wanted = state(model)
    torch.save({**wanted, "fc.weight": torch.ones(9, 4), "fc.bias": torch.ones(9)}, "x.pth")
    module = model.module(seed=3, weights={"from": "x.pth", "skip": "fc.*"})
    fresh = model.module(seed=3)
    assert torch.equal(module.conv.weight, wanted["conv.weight"])
    assert torch.equal(module.norm.running_var, wanted["norm.running_var"])
    assert torch.equal(module.fc.weight, fresh.fc.weight)
    assert "fc" in model.weights({"from": "x.pth", "skip": "fc.*"}).line()


class Trap:
    """An object that runs something when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch trapped",)


def test_nothing_of_a_pickle_is_run(model: netspec.Model) -> None:
    torch.save({**state(model), "x": Trap()}, "trap.pth")
    torch.save({**state(model), "x": Trap()}, "old.pth", _use_new_zipfile_serialization=False)
    torch.save(model.module(), "whole.pth")
    for name in ("trap.pth", "old.pth", "whole.pth"):
        with pytest.raises(UsageError, match=rf"{name} holds objects of Python .* nothing was. Save its `state_dict"):
            model.module(weights=name)
    assert not Path("trapped").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save("script.pt")
    with pytest.raises(UsageError, match=r"is a program of TorchScript"):
        model.module(weights="script.pt")


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors", "ours.safetensors", "old.pt"])
def test_a_cut_off_file_is_refused(model: netspec.Model, name: str) -> None:
    wanted = state(model)
    if name == "old.pt":
        torch.save(wanted, name, _use_new_zipfile_serialization=False)
    elif name == "x.pth":
        torch.save(wanted, name)
    else:
        save_file(wanted, name) if name[0] == "x" else write_tensors(wanted, Path(name))
    data = Path(name).read_bytes()
    for length in (0, 1, 7, 8, 9, 40, len(data) // 3, len(data) // 2, len(data) - 1):
        Path(name).write_bytes(data[:length])
        with pytest.raises(NetspecError, match=name):
            model.module(weights=name)


def test_flipped_bytes_are_told_or_harmless(model: netspec.Model) -> None:
    wanted = state(model)
    torch.save(wanted, "x.pth")
    write_tensors(wanted, Path("x.safetensors"))
    for name in ("x.pth", "x.safetensors"):
        data = Path(name).read_bytes()
        for at in range(0, len(data), max(1, len(data) // 60)):
            Path(name).write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
            try:
                module = model.module(weights=name)
            except (UsageError, EnvironmentFault):
                continue
            assert same(module, wanted), (name, at)


def test_a_file_of_another_name_is_refused(model: netspec.Model) -> None:
    wanted = state(model)
    torch.save(wanted, "x.safetensors")
    save_file(wanted, "x.pth")
    Path("notes.pth").write_text("not a checkpoint at all\n")
    Path("small.safetensors").write_text("{}")
    with pytest.raises(UsageError, match=r"x.safetensors ends in .safetensors, but holds what torch.save writes"):
        model.module(weights="x.safetensors")
    with pytest.raises(UsageError, match=r"x.pth ends in .pth, but holds safetensors: give it the ending .safetensors"):
        model.module(weights="x.pth")
    with pytest.raises(UsageError, match=r"notes.pth is damaged, cut off, or no file of PyTorch's"):
        model.module(weights="notes.pth")
    with pytest.raises(UsageError, match=r"small.safetensors is no file of safetensors"):
        model.module(weights="small.safetensors")
    with pytest.raises(UsageError, match=r"small.yaml is no file of weights"):
        model.module(weights="small.yaml")
    with pytest.raises(UsageError, match=r"there is no file y.pth: did you mean `x.pth`\?"):
        model.module(weights="y.pth")
    torch.save(torch.ones(3), "tensor.pth")
    with pytest.raises(UsageError, match=r"tensor.pth holds no weights by their names: it is a Tensor"):
        model.module(weights="tensor.pth")


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4398046511104]}}',
        b"[" * 100_000,
        b"\xff\xfe{",
    ],
)
def test_a_header_that_lies_is_refused(model: netspec.Model, header: bytes) -> None:
    Path("x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(UsageError, match=r"x.safetensors is (damaged|cut off)"):
        model.module(weights="x.safetensors")


def test_ties_that_differ_are_refused(tmp_path: Path) -> None:
    model = netspec.load("gpt2", vocab=11, context=4, width=8, heads=2, layers=1)
    wanted = state(model)
    torch.save({**wanted, "lm_head.weight": wanted["lm_head.weight"] + 1}, tmp_path / "x.pth")
    with pytest.raises(UsageError, match=r"are one tensor in the spec \(`tie`\), but differ"):
        model.module(weights=tmp_path / "x.pth")


HUGGING_FACE = {
    "gpt2": (
        {"vocab": 61, "context": 32, "width": 48, "heads": 4, "layers": 2},
        lambda: language.gpt2(vocab_size=61, n_positions=32, n_embd=48, n_head=4, n_layer=2),
    ),
    "bert": (
        {"vocab": 61, "context": 32, "kinds": 2, "width": 48, "heads": 4, "layers": 2, "hidden": 96},
        lambda: language.bert(
            vocab_size=61,
            max_position_embeddings=32,
            hidden_size=48,
            num_attention_heads=4,
            num_hidden_layers=2,
            intermediate_size=96,
        ),
    ),
    "llama": (
        {"vocab": 61, "context": 32, "width": 48, "heads": 6, "groups": 2, "layers": 2, "hidden": 64},
        lambda: language.llama(
            vocab_size=61,
            max_position_embeddings=32,
            hidden_size=48,
            num_attention_heads=6,
            num_key_value_heads=2,
            num_hidden_layers=2,
            intermediate_size=64,
        ),
    ),
}


@pytest.mark.parametrize("name", HUGGING_FACE)
@pytest.mark.parametrize("shard", [None, "60KB"])
def test_folders_of_hugging_face_load(name: str, shard: str | None, tmp_path: Path) -> None:
    params, build = HUGGING_FACE[name]
    theirs = language.randomised(build())
    theirs.save_pretrained(tmp_path, **({"max_shard_size": shard} if shard else {}))  # type: ignore[operator]
    files = sorted(path.name for path in tmp_path.iterdir() if "safetensors" in path.name)
    assert (len(files) > 2) == bool(shard)
    model = netspec.load(name, **params)
    module = model.module(weights=tmp_path)
    wanted = theirs.state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in module.state_dict().items() if key in wanted)
    assert model.weights(tmp_path).line().startswith(f"{len(dict(module.named_parameters()))} of")


VIT = {
    r"^encoder\.layer\.": "layers.",
    r"\.attention\.attention\.(\w)\w*": r".attention.\1_proj",
    r"\.attention\.output\.dense": ".attention.o_proj",
    r"\.intermediate\.dense": ".mlp.fc1",
    r"\.output\.dense": ".mlp.fc2",
}
"""The names in files of Hugging Face's ViT, and those in its class."""


@pytest.mark.slow
def test_a_vit_of_hugging_face_loads_into_the_spec_that_comes_of_it(tmp_path: Path) -> None:
    config = language.transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=16, patch_size=8
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = language.randomised(language.transformers.ViTModel(config)).eval()
    image = torch.randn(2, 3, 16, 16)
    model = netspec.from_torch(theirs, {"pixel_values": image}, {"pixel_values": {0: "N"}}).model
    for shard in ("10KB", "1GB"):
        theirs.save_pretrained(tmp_path / shard, max_shard_size=shard)  # type: ignore[operator]
        found = model.weights(tmp_path / shard)
        if found.found.missing:  # files keep names that the classes have no longer
            advice = found.advice()
            assert advice is not None
            assert r"'^encoder\.layer\.': layers." in advice
            assert "q_proj" not in advice  # as nothing tells it from the others
        module = model.module(weights={"from": tmp_path / shard, "rename": VIT if found.found.missing else {}}).eval()
        with torch.no_grad():
            made = module(image)
            made = made if isinstance(made, Tensor) else next(iter(made.values()))
            assert torch.allclose(made, theirs(image)[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "mnasnet0_5", "shufflenet_v2_x0_5", "mobilenet_v3_small", "regnet_y_400mf"]
)
def test_checkpoints_of_torchvision_load_in_each_format(name: str, tmp_path: Path) -> None:
    theirs = vision.build(name)
    wanted = dict(theirs.state_dict())
    torch.save(wanted, tmp_path / "new.pth")
    torch.save(wanted, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(wanted, tmp_path / "x.safetensors")
    model = netspec.load(name)
    for file in ("new.pth", "old.pth", "x.safetensors"):
        assert same(model.module(weights=tmp_path / file), wanted)


def test_the_command_needs_no_torch_for_safetensors(model: netspec.Model) -> None:
    save_file(state(model), "x.safetensors")
    code = (
        "import sys; from netspec.cli import main\n"
        "assert main(['weights', 'small.yaml', 'x.safetensors']) == 0\n"
        "assert not {'torch', 'numpy', 'onnx', 'safetensors'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6 of 6 parameters" in done.stdout


def test_indices_lead_nowhere_else(model: netspec.Model) -> None:
    index = Path("model.safetensors.index.json")
    for names, told in (
        ({"a": "../x.safetensors"}, "names a file outside its folder"),
        ({"a": "gone.safetensors", "b": "too.safetensors"}, "names gone.safetensors, which is not there, as 1 more"),
        ({}, "names no files"),
        ([], "no readable `weight_map`"),
    ):
        index.write_text(json.dumps({"weight_map": names}))
        with pytest.raises(UsageError, match=told):
            model.module(weights=".")
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=r"empty is neither the folder of a run nor one with model.safetensors"):
        model.module(weights="empty")


def test_the_command_prints_a_table_and_builds_nothing(
    model: netspec.Model, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({f"net.{key}": tensor for key, tensor in state(model).items()}, "x.pth")
    assert main(["weights", "small.yaml", "x.pth"]) == 1
    told = capsys.readouterr()
    assert "0 of 6 parameters" in told.out
    assert "with `weights: {from: x.pth, rename: {'^net\\.': ''}}`" in told.err
    assert main(["weights", "small.yaml", "{from: x.pth, rename: {'^net\\.': ''}, skip: fc}"]) == 0
    assert (
        capsys.readouterr().out
        == """\
key     shape               in x.pth
conv.*  2 tensors  taken    net.conv.*
norm.*  5 tensors  taken    net.norm.*
fc.*    2 tensors  skipped

4 of 6 parameters; `fc` starts anew
"""
    )
    assert main(["weights", "small.yaml", "{from: x.pth, prefix: net., skip: [fc]}", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["taken"]["conv.bias"] == "net.conv.bias"
    assert main(["weights", "small.yaml", "{form: x.pth}"]) == 1
    assert "`weights` has no key `form`" in capsys.readouterr().err


def test_builds_and_exports_hold_the_weights(model: netspec.Model, capsys: pytest.CaptureFixture[str]) -> None:
    import hashlib

    import onnx
    from onnx.numpy_helper import to_array

    wanted = state(model)
    save_file(wanted, "x.safetensors")
    assert main(["build", "small.yaml", "-o", "out", "--only", "onnx", "--weights", "x.safetensors"]) == 0
    assert "weights: 6 of 6 parameters" in capsys.readouterr().err
    record = json.loads(Path("out/build.json").read_text())["weights"]
    assert record["from"] == "x.safetensors"
    assert record["matched"] == 6
    assert record["sha256"] == hashlib.sha256(Path("x.safetensors").read_bytes()).hexdigest()
    assert main(["export", "small.yaml", "-o", "x.onnx", "--verify", "none", "--weights", "x.safetensors"]) == 0
    model.write("onnx", "written", "cpu", {"from": "x.safetensors"})
    for path in ("out/model.onnx", "x.onnx", "written/model.onnx"):
        held = {each.name: to_array(each) for each in onnx.load(path).graph.initializer}
        assert (held["fc.weight"] == wanted["fc.weight"].numpy()).all()
    assert main(["build", "small.yaml", "-o", "out", "--only", "source", "--weights", "x.safetensors"]) == 2
    assert "nothing that is built holds weights" in capsys.readouterr().err


def test_the_command_shows_the_recipe_s_own_weights(
    model: netspec.Model, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_file(state(model), "x.safetensors")
    assert main(["weights", "small.yaml"]) == 2
    assert "name a file of weights, as the spec of small has no `weights` under `train`" in capsys.readouterr().err
    train = "train: {data: digits, loss: cross_entropy, optimizer: adam, epochs: 1, weights: {from: %s, skip: fc}}"
    text = SPEC.replace("[N, 3, 8, 8]", "[N, 1, 8, 8]").replace("out_features: 5", "out_features: 10")
    Path("tuned.yaml").write_text(text + train % "y.safetensors")
    save_file(state(netspec.load("tuned.yaml")), "y.safetensors")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert main(["weights", "../tuned.yaml"]) == 0
    assert "4 of 6 parameters; `fc` starts anew" in capsys.readouterr().out
