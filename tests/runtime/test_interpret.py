"""A module is what its graph means, run node by node; one that is not is a bug, and told as such."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import netspec
from netspec.cli import main
from netspec.elaborate.passes.sizes import small_sizes
from netspec.runtime.interpret import Misbuilt, check_module
from netspec.runtime.probing import probing_copy

torch.set_num_threads(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", "resnet20", "googlenet_d2l", "seq2seq", "rnn_attention", "gru_lm"])
def test_networks_do_what_their_graphs_say(name: str):
    model = netspec.load(name)
    assert check_module(model.graph, probing_copy(model.graph, model.module())) < 1e-5


def test_sizes_are_small_and_differ():
    assert small_sizes(netspec.load("resnet50").graph) == {"N": 2, "H": 3, "W": 4}
    assert small_sizes(netspec.load("lenet").graph) == {"N": 1}


def exchanged() -> tuple[netspec.Model, torch.nn.Module]:
    """A network, and a module in which two activations changed places."""
    model = netspec.load("lenet")
    module = model.module()
    layers = dict(module.named_children())
    setattr(module, "1", torch.nn.Tanh())
    assert layers["1"] is not getattr(module, "1")
    return model, module


def test_what_is_frozen_stays_frozen(tmp_path: Path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 4]}\n"
        "network: [{linear: {name: a, out_features: 4, freeze: true}}, {linear: {name: b, out_features: 4}}]\n"
    )
    model = netspec.load(path)
    module = model.module()
    check_module(model.graph, module)
    assert [name for name, each in module.named_parameters() if each.requires_grad] == ["b.weight", "b.bias"]


def test_another_module_is_noticed():
    model, module = exchanged()
    with pytest.raises(Misbuilt, match="from its graph, run node by node"):
        check_module(model.graph, module)


def test_a_build_says_what_was_checked(tmp_path: Path):
    assert main(["build", "lenet", "-o", str(tmp_path), "--device", "cpu"]) == 0
    check = json.loads((tmp_path / "build.json").read_text())["checks"]["node_by_node"]
    assert check["passed"]
    assert check["difference"] <= check["tolerance"]


def test_a_build_of_another_module_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    _, module = exchanged()
    monkeypatch.setattr("netspec.runtime.module.build_module", lambda *_: module)
    assert main(["build", "lenet", "-o", str(tmp_path), "--device", "cpu"]) == 4
    assert "a bug in netspec, not in your spec" in capsys.readouterr().err
