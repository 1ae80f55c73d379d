"""Training by changes of low rank: what is learned, kept, resumed and exported."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import load_file
from train.small import SPEC, begin, graph, guard_resumes

from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.model import Model
from netspec.pipeline import compile_spec, read_value
from netspec.runtime.module import build_module

LORA = {"lora": "{rank: 4, of: first, alpha: 8, dropout: 0.1}", "groups": "{head.bias: 0.02}"}
STEPS = SPEC.replace("epochs: 3", "steps: 6")


def test_the_changes_and_the_groups_are_learned_and_nothing_else(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, **LORA), tmp_path / "run")
    model = run.setup.model
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    learned = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert learned == {"first.lora_A.weight", "first.lora_B.weight", "head.bias"}
    run.go()
    moved = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    assert moved == learned
    assert len(run.optimizer.state) == 3


def test_a_run_with_changes_goes_on_bit_for_bit(tmp_path: Path) -> None:
    guard_resumes(graph(tmp_path, checkpoint="{steps: 1}", schedule="cosine", ema="0.9", **LORA), tmp_path)


def test_weights_of_the_network_without_changes_keep_their_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = build_module(graph(tmp_path, STEPS), seed=7)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    run = begin(graph(tmp_path, STEPS, weights="plain.pth", **LORA), tmp_path / "run")
    state = run.setup.model.state_dict()
    assert run.setup.loaded is not None
    assert run.setup.loaded.line == "4 of 4 parameters"
    assert all(torch.equal(state[key], tensor) for key, tensor in plain.state_dict().items())
    assert state["first.lora_B.weight"].count_nonzero() == 0


@pytest.mark.slow
def test_a_run_is_exported_without_its_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], without_pictures: None
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = build_module(graph(tmp_path, SPEC.replace("epochs: 3", "steps: 60")), seed=7)
    torch.save(plain.state_dict(), "plain.pth")
    lora = ["small.yaml", "--lora", "{rank: 4, of: first}"]
    learned = ["--set", "train.groups={head.bias: 0.02}"]
    assert main(["train", *lora, *learned, "-o", "run", "--weights", "plain.pth"]) == 0
    best = load_file("run/best.safetensors")
    change = best["first.lora_B.weight"] @ best["first.lora_A.weight"]
    assert change.abs().max() > 0.01
    assert main(["export", *lora, "--weights", "run", "-o", "again.onnx"]) == 0
    assert main(["export", *lora, "--weights", "run", "-o", "kept.onnx", "--keep-lora"]) == 0
    for name in ("run/model.onnx", "again.onnx"):
        held = {each.name: each for each in onnx.load(name).graph.initializer}
        assert not any("lora" in each for each in held)
        merged = torch.tensor(onnx.numpy_helper.to_array(held["first.weight"]))
        assert torch.allclose(merged, best["first.weight"] + change, atol=1e-6)
    assert any("lora_A" in each.name for each in onnx.load("kept.onnx").graph.initializer)
    scores = json.loads(Path("run/result.json").read_text())["scores"]
    assert scores["test"]["accuracy"] > 0.3
    assert main(["evaluate", "run"]) == 0
    check_adapter(best, capsys)
    assert main(["evaluate", "run", "--runtime", "onnx"]) == 0


ON_TOP = "{from: plain.pth, adapter: run/adapter}"
REFUSED = (
    ("{rank: 4, of: first, alpha: 8}", ON_TOP, "count alpha/rank = 1 times, and those of the spec 2 times"),
    ("{rank: 3, of: first}", ON_TOP, "`first.lora_A.weight` is [4, 784] in run/adapter"),
    ("{rank: 4, of: head}", ON_TOP, "`first.lora_A.weight`, which the spec does not have (`lora` has no step there)"),
    ("{rank: 4}", ON_TOP, "has no `head.lora_A.weight`, which `lora` of the spec adds"),
    ("{rank: 4, of: first}", "{from: plain.pth, adapter: run}", "the folder of that file, such as run/adapter"),
    ("", "run", "a change of low rank for `first`, for which the spec has no steps: `--lora '{rank: 4, …}'`"),
)
"""Values of ``--lora``, weights that are not theirs, and what is said of it."""


def check_adapter(best: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]) -> None:
    """Guard: the changes by themselves, on top of the weights that the run started from, are its best weights."""
    held = load_file("run/adapter/adapter_model.safetensors")
    ends = {"first.lora_A.weight", "first.lora_B.weight", "head.weight", "head.bias"}
    assert held.keys() == {f"base_model.model.{end}" for end in ends}
    config = json.loads(Path("run/adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (4, 4, ["first"])
    assert config["modules_to_save"] == ["head"]
    made = compile_spec("small.yaml", overrides={"train.lora": read_value("lora", "{rank: 4, of: first}")})
    module = Model(made).module(weights={"from": "plain.pth", "adapter": "run/adapter"})
    assert all(torch.equal(tensor, best[key]) for key, tensor in module.state_dict().items())
    for lora, source, told in REFUSED:
        capsys.readouterr()
        given = [*(["--lora", lora] if lora else []), "--weights", source]
        assert main(["export", "small.yaml", "-o", "other.onnx", *given]) == 2, given
        assert told in capsys.readouterr().err.replace("\n", " "), given
    Path("run/adapter/adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="is damaged: it has no readable `r` and `lora_alpha`"):
        Model(made).module(weights={"from": "plain.pth", "adapter": "run/adapter"})
