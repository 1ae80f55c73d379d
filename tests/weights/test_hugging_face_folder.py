"""Folders in Hugging Face's layout: transformers load them, with our outputs, and netspec reads them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from emit.hugging_face.test_standing import OWN_WORDS
from places import ROOT
from safetensors.torch import save_file
from zoo import vision
from zoo.language import transformers

import netspec
from netspec.cli import main
from netspec.emit.hugging_face.standing import hugging_face_form

SMALL = {"width": 32, "heads": 4, "layers": 3, "vocab": 61}
GROUPED = {**SMALL, "groups": 2, "hidden": 40}
CASES: dict[str, tuple[str, dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "gpt2": ("gpt2", SMALL, ()),
    "gpt2, untied, of another width and activation": (
        "gpt2",
        {**SMALL, "hidden": 56, "context": 20, "dropout": 0.0},
        (
            (", tie: {weight: transformer.wte.weight}", ""),
            ("gelu: {approximate: tanh}", "relu"),
            ("{name: ln_", "{eps: 0.01, name: ln_"),
        ),
    ),
    "llama": ("llama", GROUPED, ()),
    "llama, tied, with heads wider than the width, base and eps": (
        "llama",
        {**GROUPED, "head_width": 12, "base": 10000.0},
        (
            ("bias: false}\n\noutputs", "bias: false, tie: {weight: model.embed_tokens.weight}}\n\noutputs"),
            ("eps: 0.00001", "eps: 0.001"),
        ),
    ),
    "llama, with biases, another activation, and slower turning": (
        "llama",
        GROUPED,
        (
            ("base: base}", "base: base, bias: true}"),
            ("hidden: hidden}", "hidden: hidden, bias: true, activation: gelu}"),
        ),
    ),
    "llama, without eps": ("llama", GROUPED, ((", eps: 0.00001", ""),)),
    "bert": ("bert", {**SMALL, "hidden": 40}, ()),
    "bert, without masks": (
        "bert",
        {**SMALL, "hidden": 40},
        (
            (
                "  attention_mask: {shape: [N, T], dtype: int64, optional: true}"
                + 17 * " "
                + "# 0 where there is padding\n",
                "",
            ),
            (
                "  - cast: {from: attention_mask, dtype: bool}\n  - unsqueeze: 1\n"
                "  - unsqueeze: {name: mask, dim: 1}\n",
                "",
            ),
            ("[layer: {mask: mask}]", "[layer]"),
            ("- gelu\n", "- silu\n"),
            ("eps: 1.0e-12", "eps: 1.0e-3"),
        ),
    ),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def options(params: dict[str, Any]) -> list[str]:
    return [each for name, value in params.items() for each in ("--set", f"{name}={value}")]


def exported(text: str, params: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Write a spec and telling weights, export them into the folder ``made``, and return the weights."""
    Path("mine.yaml").write_text(text)
    state = vision.randomised(netspec.load("mine.yaml", **params).module()).state_dict()
    save_file({key: tensor.clone() for key, tensor in state.items()}, "given.safetensors")
    assert main(["export", "mine.yaml", *options(params), "--weights", "given.safetensors", "--as", "hf", "made"]) == 0
    return state


@pytest.mark.parametrize("case", CASES)
def test_transformers_load_it_and_give_the_same(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, params, changes = CASES[case]
    text = (ROOT / f"specs/{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    state = exported(text, params)
    assert "verified: transformers' " in capsys.readouterr().out
    model = netspec.load("mine.yaml", **params)
    kind = transformers.AutoModel if name == "bert" else transformers.AutoModelForCausalLM
    theirs, info = kind.from_pretrained("made", output_loading_info=True)
    assert not any(info[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids = torch.randint(0, 61, (2, 17), generator=torch.Generator().manual_seed(1))
    given = {"input_ids": ids}
    if name == "bert":
        given["token_type_ids"] = (ids > 30).long()
    if "attention_mask" in model.graph.inputs:
        given["attention_mask"] = (ids < 50).long()
    with torch.no_grad():
        want = theirs.eval()(**given)
        module = model.module(weights="made").eval()
        got = module(*given.values()) if name != "bert" else module(**given)
    outputs = got if isinstance(got, dict) else {"logits": got}
    for output, value in outputs.items():
        assert value.abs().max() > 0.1
        torch.testing.assert_close(value, want[output], rtol=1e-5, atol=1e-5 * float(want[output].abs().max()))
    assert all(torch.equal(tensor, state[key]) for key, tensor in module.state_dict().items())


def test_names_of_ones_own_are_theirs_in_the_folder_and_are_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    state = exported(OWN_WORDS, {})
    assert "verified" in capsys.readouterr().out
    module = netspec.load("mine.yaml").module(weights="made")
    assert all(torch.equal(tensor, state[key]) for key, tensor in module.state_dict().items())
    assert main(["weights", "mine.yaml", "made"]) == 0
    assert "left over" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "turning",
    [
        "rope_type: linear, factor: 4",
        "rope_type: llama3, factor: 8, original_max_position_embeddings: 16",
        "rope_type: yarn, factor: 4, original_max_position_embeddings: 10, base: 100",
    ],
)
def test_rotary_embeddings_that_turn_slower_are_settings(turning: str, capsys: pytest.CaptureFixture[str]) -> None:
    exported(OWN_WORDS.replace("rotary_embedding: {", f"rotary_embedding: {{{turning}, "), {})
    assert "verified" in capsys.readouterr().out


def test_a_checkpoint_of_theirs_goes_through_with_its_tokenizer_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = transformers.GPT2Config(
        vocab_size=61, n_positions=20, n_embd=32, n_layer=2, n_head=4, bos_token_id=5, eos_token_id=7
    )
    made = vision.randomised(transformers.GPT2LMHeadModel(theirs), buffers=False)
    made.save_pretrained("theirs")
    Path("theirs/tokenizer.json").write_text("{}")
    spec = ["gpt2", *options({**SMALL, "layers": 2, "context": 20})]
    assert main(["export", *spec, "--weights", "theirs", "--as", "hf", "ours"]) == 0
    again = transformers.AutoModelForCausalLM.from_pretrained("ours")
    for key, tensor in made.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    assert Path("ours/tokenizer.json").read_text() == "{}"
    assert (again.generation_config.bos_token_id, again.generation_config.eos_token_id) == (5, 7)
    want, got = made.config.to_dict(), again.config.to_dict()
    told = {"n_inner", "_name_or_path", "dtype", "torch_dtype", "transformers_version", "architectures"}
    assert {key: value for key, value in want.items() if key not in told} == {
        key: value for key, value in got.items() if key not in told
    }
    capsys.readouterr()
    assert main(["export", *spec, "--weights", "theirs", "--as", "hf", "theirs"]) == 2
    assert "theirs/config.json was not written by netspec, and is left alone" in capsys.readouterr().err
    assert main(["export", *spec, "--weights", "theirs", "--as", "hf", "ours"]) == 0  # its own it writes anew


WRITER = """\
netspec: 1
name: writer
extends: gpt2
params: {{vocab: {vocab}, context: 64, width: 16, heads: 2, layers: 1}}
train: {{data: {data}, loss: cross_entropy, optimizer: adam, steps: 30, batch: 16}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "vocab", "prompt"),
    [("{alice: 16}", 27, "Alice was"), ("{text: {path: words.txt, length: 4, level: word}}", 9, "one, two four!")],
    ids=["letters", "words"],
)
def test_a_run_has_its_words_as_a_tokenizer(
    data: str, vocab: int, prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("words.txt").write_text("one two, three four! " * 60)
    Path("writer.yaml").write_text(WRITER.format(data=data, vocab=vocab))
    assert main(["train", "writer.yaml"]) == 0
    assert main(["export", "runs/writer/last", "--as", "hf", "made"]) == 0
    assert "verified: " in capsys.readouterr().out
    assert main(["export", "writer.yaml", "--weights", "runs/writer/last", "--as", "hf", "again"]) == 0
    assert Path("again/tokenizer.json").read_bytes() == Path("made/tokenizer.json").read_bytes()
    capsys.readouterr()
    tokenizer = transformers.AutoTokenizer.from_pretrained("made")
    model = transformers.AutoModelForCausalLM.from_pretrained("made").eval()
    given = tokenizer(prompt, return_tensors="pt")
    numbers = model.generate(given.input_ids, attention_mask=given.attention_mask, max_new_tokens=12, do_sample=False)
    want = tokenizer.decode(numbers[0, given.input_ids.shape[1] :])
    assert main(["generate", "runs/writer/last", "--prompt", prompt, "--max", "12"]) == 0
    assert capsys.readouterr().out == want + "\n"


def test_build_has_it_as_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    spec = ["bert", *options({**SMALL, "hidden": 40})]
    assert main(["build", *spec, "--only", "hf", "-o", "b"]) == 0
    checks = json.loads(Path("b/build.json").read_text())["checks"]
    assert checks["hugging_face"]["architecture"] == "BertModel"
    assert checks["hugging_face"]["agrees"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "pickle", "x"], "--as knows no form `pickle`"),
        (["--as", "hf", "x", "--opset", "17"], "--opset is for ONNX files"),
        (["--as", "hf", "x", "--for", "openvino"], "--for is for ONNX files"),
        (["--as", "hf", "x", "--cached"], "--cached is for ONNX files"),
    ],
)
def test_options_that_do_not_go_with_it_are_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "gpt2", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("x").exists()


def test_a_network_that_is_none_of_theirs_is_told_before_anything_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export", "lenet", "--as", "hf", "x"]) == 2
    assert "lenet is no GPT-2, Llama or BERT" in capsys.readouterr().err
    assert not Path("x").exists()


PUBLISHED = {
    "gpt2": transformers.GPT2Config(),
    "gpt2_medium": transformers.GPT2Config(n_embd=1024, n_layer=24, n_head=16),
    "gpt2_large": transformers.GPT2Config(n_embd=1280, n_layer=36, n_head=20),
    "gpt2_xl": transformers.GPT2Config(n_embd=1600, n_layer=48, n_head=25),
    "bert": transformers.BertConfig(),
    "bert_large": transformers.BertConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    ),
    "llama3_8b": transformers.LlamaConfig(
        vocab_size=128256,
        intermediate_size=14336,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_settings_are_those_of_the_published_networks(name: str) -> None:
    published = PUBLISHED[name].to_dict()
    config = dict(hugging_face_form(netspec.load(name).graph).config)
    assert config.pop("architectures") == [{"g": "GPT2LMHeadModel", "b": "BertModel", "l": "LlamaForCausalLM"}[name[0]]]
    assert config.pop("rope_theta", 500000.0) == 500000.0  # as versions before 5 call it
    if published.get("n_inner", 0) is None:
        assert config.pop("n_inner") == 4 * config["n_embd"]
    assert {key: published[key] for key in config} == config
