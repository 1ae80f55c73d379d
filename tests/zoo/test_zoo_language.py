"""GPT-2, BERT and Llama: Hugging Face's checkpoints load, and give the same; onnxruntime agrees at any length."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from zoo import language
from zoo.language import randomised
from zoo.networks import compiled, on_meta
from zoo.vision import difference

import netspec
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.parity import largest_difference
from netspec.runtime.reference import run

SIZES = ((1, 1), (3, 7), (2, 32))
GPT2 = {"vocab": 97, "context": 32, "width": 48, "heads": 4, "layers": 2}
BERT = {"vocab": 89, "context": 32, "kinds": 3, "width": 48, "heads": 4, "layers": 2, "hidden": 96}
LLAMA = {"vocab": 83, "context": 32, "width": 48, "heads": 6, "groups": 2, "layers": 2, "hidden": 64}
SMALL: Mapping[str, Mapping[str, int]] = {"gpt2": GPT2, "bert": BERT, "llama": LLAMA}
THEIRS = {
    "gpt2": lambda: language.gpt2(vocab_size=97, n_positions=32, n_embd=48, n_head=4, n_layer=2),
    "bert": lambda: language.bert(
        vocab_size=89,
        max_position_embeddings=32,
        type_vocab_size=3,
        hidden_size=48,
        num_attention_heads=4,
        num_hidden_layers=2,
        intermediate_size=96,
    ),
    "llama": lambda: language.llama(
        vocab_size=83,
        max_position_embeddings=32,
        hidden_size=48,
        num_attention_heads=6,
        num_key_value_heads=2,
        num_hidden_layers=2,
        intermediate_size=64,
    ),
}
PUBLISHED = {
    "gpt2": ("gpt2", {"n_embd": 768, "n_head": 12, "n_layer": 12}),
    "gpt2_medium": ("gpt2", {"n_embd": 1024, "n_head": 16, "n_layer": 24}),
    "gpt2_large": ("gpt2", {"n_embd": 1280, "n_head": 20, "n_layer": 36}),
    "gpt2_xl": ("gpt2", {"n_embd": 1600, "n_head": 25, "n_layer": 48}),
    "bert": ("bert", {}),
    "bert_large": (
        "bert",
        {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "intermediate_size": 4096},
    ),
    "llama3_8b": ("llama", {"vocab_size": 128256, "num_key_value_heads": 8, "intermediate_size": 14336}),
    "llama3_70b": (
        "llama",
        {
            "vocab_size": 128256,
            "hidden_size": 8192,
            "num_attention_heads": 64,
            "num_hidden_layers": 80,
            "num_key_value_heads": 8,
            "intermediate_size": 28672,
        },
    ),
}
"""The configurations of the checkpoints that were published."""
COUNTS = {"gpt2": 124_439_808, "bert": 109_482_240, "llama3_8b": 8_030_261_248, "llama3_70b": 70_553_706_496}


def loaded(name: str) -> tuple[netspec.Model, nn.Module, nn.Module]:
    """A small form of a network of ours, its module with their weights, and theirs."""
    model = netspec.load(name, **SMALL[name])
    theirs = randomised(THEIRS[name]())
    module = model.module().eval()
    module.load_state_dict(theirs.state_dict(), strict=True)
    return model, module, theirs


def tokens(name: str, count: int, length: int) -> Tensor:
    return torch.randint(0, SMALL[name]["vocab"], (count, length), generator=torch.Generator().manual_seed(length))


def close(want: Tensor, got: Tensor) -> None:
    assert want.std() > 0
    assert difference(want, got) < 1e-5


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_logits_are_theirs(name: str, sizes: tuple[int, int]) -> None:
    _, module, theirs = loaded(name)
    ids = tokens(name, *sizes)
    with torch.no_grad():
        close(theirs(ids).logits, module(ids))


@pytest.mark.parametrize("given", [(), ("attention_mask",), ("token_type_ids",), ("attention_mask", "token_type_ids")])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_bert_s_states_are_theirs(sizes: tuple[int, int], given: tuple[str, ...]) -> None:
    _, module, theirs = loaded("bert")
    lengths = torch.randint(1, sizes[1] + 1, sizes[:1], generator=torch.Generator().manual_seed(1))
    options = {
        "attention_mask": (torch.arange(sizes[1]) < lengths[:, None]).long(),
        "token_type_ids": torch.randint(0, 3, sizes, generator=torch.Generator().manual_seed(2)),
    }
    options = {name: value for name, value in options.items() if name in given}
    ids = tokens("bert", *sizes)
    with torch.no_grad():
        want, got = theirs(ids, **options), module(ids, **options)
    for name, made in got.items():
        close(want[name], made)


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_and_shapes_are_those_of_the_published_checkpoints(name: str) -> None:
    family, options = PUBLISHED[name]
    with torch.device("meta"):
        theirs = getattr(language, family)(**options)
    shapes = {key: tuple(tensor.shape) for key, tensor in on_meta(name).state_dict().items()}
    assert shapes == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    assert compiled(name)[0].body.parameter_count == sum(each.numel() for each in theirs.parameters())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    assert compiled(name)[0].body.parameter_count == COUNTS[name]


@pytest.mark.parametrize("name", SMALL)
def test_onnxruntime_agrees_at_any_length(name: str, tmp_path: Path) -> None:
    model, module, _ = loaded(name)
    path = model.export(tmp_path / "model.onnx", module)
    onnx.checker.check_model(os.fspath(path), full_check=True)
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    for count, length in SIZES:
        inputs = example_inputs(model.graph, {"N": count, "T": length})
        theirs = session.run(None, {key: value.numpy() for key, value in inputs.items()})
        assert largest_difference(run(module, inputs), theirs) < 1e-5


def test_tied_weights_are_one(tmp_path: Path) -> None:
    model = netspec.load("gpt2", **GPT2)
    module = model.module()
    assert module.get_parameter("lm_head.weight") is module.get_parameter("transformer.wte.weight")
    assert sum(parameter.numel() for parameter in module.parameters()) == model.graph.body.parameter_count
    proto = onnx.load(model.export(tmp_path / "model.onnx", module))
    learned = [tensor.name for tensor in proto.graph.initializer if "/" not in tensor.name]
    assert learned.count("transformer.wte.weight") == 1
    assert "lm_head.weight" not in learned
    assert set(learned) == set(dict(module.named_parameters()))
    copied = netspec.load("gpt2", **GPT2).module(dtype=torch.float64)
    assert copied.get_parameter("lm_head.weight") is copied.get_parameter("transformer.wte.weight")


def test_gpt2_starts_as_published() -> None:
    module = netspec.load("gpt2", **{**GPT2, "width": 96, "layers": 8}).module()
    spread: dict[str, list[float]] = {}
    for key, parameter in module.named_parameters():
        if parameter.ndim > 1:
            spread.setdefault(key.split(".")[-2], []).append(parameter.std().item())
    wanted = {"wte": 0.02, "wpe": 0.02, "c_attn": 0.02, "c_fc": 0.02, "c_proj": 0.02 / 4}
    for name, deviations in spread.items():
        assert sum(deviations) / len(deviations) == pytest.approx(wanted[name], rel=0.05), name


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_it_compiles_and_exports_whole(name: str) -> None:
    model, module, _ = loaded(name)
    torch.compiler.reset()
    compiled_module = torch.compile(module, fullgraph=True, backend="eager")
    inputs = [example_inputs(model.graph, {"N": count, "T": length}) for count, length in SIZES[1:]]
    for given in inputs:
        same(compiled_module(*given.values()), module(*given.values()))
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time", max=32)
    shapes = tuple({0: batch, 1: time} for _ in model.graph.inputs)
    exported = torch.export.export(module, tuple(inputs[0].values()), dynamic_shapes=shapes).module()
    same(exported(*inputs[1].values()), module(*inputs[1].values()))


def same(got: Any, want: Any) -> None:
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_a_training_step_reaches_every_parameter() -> None:
    for name in SMALL:
        model = netspec.load(name, **SMALL[name])
        module = model.module()
        made = module(*example_inputs(model.graph, {"N": 2, "T": 5}).values())
        outputs = made.values() if isinstance(made, dict) else [made]
        sum(output.square().mean() for output in outputs).backward()
        missing = [key for key, parameter in module.named_parameters() if parameter.grad is None]
        assert missing == []
