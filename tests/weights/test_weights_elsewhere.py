"""Weights in ONNX files of netspec's, in torchvision's cache and in Hugging Face's, both of which the test makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from zoo import vision

import netspec
from netspec.diagnostics import EnvironmentFault, UsageError

RECURRENT = """\
netspec: 1
name: recurrent
inputs: {x: [N, T, 6]}
network:
  - lstm: {name: lstm, hidden_size: 8, num_layers: 2, bidirectional: true}
  - gru: {name: gru, hidden_size: 5, from: lstm.output}
  - rnn: {name: rnn, hidden_size: 4, bidirectional: true, bias: false, from: gru.output}
  - lstm: {name: projected, hidden_size: 8, proj_size: 3, from: rnn.output}
  - layer_norm: {name: norm, from: projected.output}
  - linear: {name: fc, out_features: 3, state_key: {weight: kernel}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def telling(model: netspec.Model) -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """A module with weights that no initialisation gives, and these."""
    module = vision.randomised(model.module())
    return module, {key: tensor.clone() for key, tensor in module.state_dict().items()}


def agree(module: torch.nn.Module, wanted: dict[str, Tensor]) -> bool:
    found = module.state_dict()
    counted = "num_batches_tracked"
    return all(torch.equal(found[key], wanted[key]) for key in wanted if not key.endswith(counted))


def test_onnx_files_of_netspec_give_back_every_key() -> None:
    Path("recurrent.yaml").write_text(RECURRENT)
    for spec, params in (
        ("recurrent.yaml", {}),
        ("squeezenet1_1", {"classes": 7}),
        ("gpt2", {"vocab": 11, "context": 4, "width": 8, "heads": 2, "layers": 1}),
        ("mobilenet_v3_small", {"classes": 7}),
    ):
        model = netspec.load(spec, **params)
        module, wanted = telling(model)
        model.export("x.onnx", module)
        assert agree(model.module(weights="x.onnx"), wanted), spec
        assert not model.weights("x.onnx").found.unused


def test_other_files_of_onnx_are_refused_or_told() -> None:
    model = netspec.load("mlp")
    model.export("x.onnx")
    theirs = onnx.load("x.onnx")
    theirs.producer_name = "pytorch"
    onnx.save(theirs, "theirs.onnx")
    with pytest.raises(UsageError, match=r"theirs.onnx was not written by netspec.*netspec import theirs.onnx"):
        model.module(weights="theirs.onnx")
    data = Path("x.onnx").read_bytes()
    Path("cut.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(UsageError, match=r"cut.onnx is no ONNX file, or a part of one"):
        model.module(weights="cut.onnx")
    Path("x.pth").write_bytes(data)
    with pytest.raises(UsageError, match=r"x.pth ends in .pth, but holds ONNX: give it the ending .onnx"):
        model.module(weights="x.pth")


@pytest.fixture(name="torch_home")
def _torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of torchvision's, from which nothing is fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreached(OSError("no network")))
    return folder


def unreached(fault: Exception) -> Callable[..., None]:
    """A function that stands for a network that is not there."""

    def refuse(*_: object, **__: object) -> None:
        raise fault

    return refuse


def test_torchvision_s_weights_come_from_its_cache(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = vision.build("squeezenet1_1")
    weights = vision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    torch.save(theirs.state_dict(), torch_home / Path(weights.url).name)
    model = netspec.load("squeezenet1_1")
    for name in ("IMAGENET1K_V1", "DEFAULT", "SqueezeNet1_1_Weights.IMAGENET1K_V1"):
        assert agree(model.module(weights=f"torchvision:{name}"), theirs.state_dict())
    kept = (torch_home / Path(weights.url).name).rename("elsewhere.pth")

    def fetch(url: str, path: str, *_: object, **__: object) -> None:
        assert url == weights.url
        Path(path).write_bytes(kept.read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert agree(model.module(weights="torchvision:IMAGENET1K_V1"), theirs.state_dict())
    assert model.weights("torchvision:IMAGENET1K_V1").line() == "52 of 52 parameters"
    other = netspec.load("squeezenet1_1", classes=5)
    with pytest.raises(UsageError, match=r"`classifier.1.weight` is \[1000, 512, 1, 1\] in SqueezeNet1_1_Weights"):
        other.module(weights="torchvision:IMAGENET1K_V1")
    other.module(weights={"from": "torchvision:IMAGENET1K_V1", "skip": "classifier.*"})


def test_what_torchvision_does_not_have_is_told(torch_home: Path) -> None:
    model = netspec.load("squeezenet1_1")
    with pytest.raises(UsageError, match=r"no weights `IMAGENET1K_V3` of squeezenet1_1: did you mean `IMAGENET1K_V1`"):
        model.module(weights="torchvision:IMAGENET1K_V3")
    with pytest.raises(UsageError, match=r"no weights `SqueezeNet_Weights.V1`: they are named as"):
        model.module(weights="torchvision:SqueezeNet_Weights.V1")
    with pytest.raises(UsageError, match=r"torchvision has no model `mlp`: name the weights in full"):
        netspec.load("mlp").module(weights="torchvision:IMAGENET1K_V1")
    with pytest.raises(
        EnvironmentFault, match=r"torchvision cannot fetch https.*squeezenet1_1-b8a52dc0.pth: no network"
    ):
        model.module(weights="torchvision:IMAGENET1K_V1")
    (torch_home / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"PK\x03\x04 half of a download")
    with pytest.raises(UsageError, match=r"squeezenet1_1-b8a52dc0.pth is damaged"):
        model.module(weights="torchvision:IMAGENET1K_V1")


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(name="hub")
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of a repository in a cache of Hugging Face's, from which nothing is fetched."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--owner--small"
    for name, text in (("main", COMMIT), ("v1", "f" * 40)):
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / name).write_text(text)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    return snapshot


def test_repositories_come_from_the_cache(hub: Path) -> None:
    model = netspec.load("mlp")
    _, wanted = telling(model)
    save_file(wanted, hub / "model.safetensors")
    assert agree(model.module(weights="hf:owner/small"), wanted)
    assert agree(model.module(weights=f"hf:owner/small@{COMMIT}"), wanted)
    (hub / "other").mkdir()
    torch.save({f"net.{key}": tensor for key, tensor in wanted.items()}, hub / "other" / "x.pth")
    assert agree(model.module(weights={"from": "hf:owner/small/other/x.pth@main", "prefix": "net."}), wanted)
    from netspec.recipes.weights import WeightsSource
    from netspec.weights.load import load_weights

    record = load_weights(model.module(), model.graph, WeightsSource("hf:owner/small")).record
    assert record["revision"] == COMMIT
    assert record["file"] == "hf:owner/small"


def test_sharded_repositories_come_from_the_cache(hub: Path) -> None:
    model = netspec.load("mlp")
    _, wanted = telling(model)
    names = {key: f"model-{number}-of-2.safetensors" for number, key in enumerate(wanted)}
    for key, name in names.items():
        save_file({key: wanted[key]}, hub / name)
    (hub / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert agree(model.module(weights="hf:owner/small"), wanted)
    (hub / "model-1-of-2.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match=r"owner/small is not kept here with model-1-of-2.safetensors"):
        model.module(weights="hf:owner/small")


def test_what_the_hub_does_not_have_is_told(hub: Path) -> None:
    model = netspec.load("mlp")
    with pytest.raises(EnvironmentFault, match=r"owner/small is not kept here with .* and the hub is not reached"):
        model.module(weights="hf:owner/small")
    with pytest.raises(EnvironmentFault, match=r"owner/small is not kept here"):
        model.module(weights="hf:owner/small@v1")
    with pytest.raises(UsageError, match=r"`hf:a b` is not written as `hf:owner/name`"):
        model.module(weights="hf:a b")
