"""Specs as networks of Hugging Face's: what keeps one from being one, and where that stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

import netspec
from netspec.diagnostics import UsageError
from netspec.emit.hugging_face.standing import HuggingFaceForm, hugging_face_form

SMALL = {"width": 32, "heads": 4, "layers": 3, "vocab": 61}
PARTING = {
    "gpt2": {
        ("- layer_norm: {name: ln_f}", ""): "lm_head is not as in GPT-2, the nearest of GPT-2, Llama and BERT: "
        r"there is `layer_norm` \(transformer.ln_f\) instead",
        ("causal: true", "causal: false"): "its is_causal is False, and there it is True",
        ("- gelu: {approximate: tanh}", "- elu"): "transformer.h.0.mlp.1 is not as in GPT-2, .* there is `gelu` "
        r"\(transformer.h.0.mlp.1\) instead",
        ("- gelu: {approximate: tanh}", "- gelu: {approximate: tanh}\n                - relu"): "transformer.h.0.mlp.2 "
        r".* there is `affine` \(transformer.h.0.mlp.c_proj.2\) instead",
        ("outputs: {logits: lm_head}", "outputs: {logits: lm_head, hidden: transformer}"): "transformer.ln_f is not "
        ".* it is the output `hidden`, and none there",
        (
            "{name: ln_1}",
            "{name: ln_1, bias: false}",
        ): "transformer.h.0.ln_1 is not as .*: its bias is False, and there it",
        ("{name: ln_2}", "{name: ln_2, eps: 0.1}"): "its eps is 0.1, and that of transformer.h.0.ln_1 1e-05, where all",
        (
            "outputs: {logits: lm_head}",
            "outputs: {logits: lm_head, given: ids}",
        ): "gpt2 is not as in GPT-2, .* the output",
    },
    "llama": {
        (
            "- rms_norm: {name: input_layernorm, eps: 0.00001}",
            "- layer_norm: {name: input_layernorm}",
        ): "model.layers.0.input_layernorm is not as .* there is",
        ("{name: lm_head, out_features: vocab, bias: false}", "{name: lm_head, out_features: vocab}"): "lm_head is not "
        "as in Llama, .*: its bias is True, and there it is False",
        ("base: base}", "base: base, qk_norm: true}"): "model.layers.0.self_attn.q_norm is not as in Llama",
    },
    "bert": {
        ("- tanh\n", ""): r"pooler.dense is not as .* `tanh` \(pooler.2\) follows there, and nothing does here",
    },
}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [(name, *change, said) for name, changes in PARTING.items() for change, said in changes.items()],
)
def test_the_first_step_that_differs_is_told_with_its_place(
    name: str, old: str, new: str, said: str, tmp_path: Path
) -> None:
    text = (ROOT / f"specs/{name}.yaml").read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    graph = netspec.load(path, **SMALL, **({"groups": 2} if name == "llama" else {})).graph
    with pytest.raises(UsageError, match=said) as told:
        hugging_face_form(graph)
    place = str(told.value).partition(": ")[0]
    if ":" in place:
        line = int(place.rpartition(":")[0].rpartition(":")[2])
        assert text.replace(old, new).splitlines()[line - 1].strip()
        assert place.startswith(str(path))


def test_a_step_of_a_later_layer_is_told(tmp_path: Path) -> None:
    text = (ROOT / "specs/llama.yaml").read_text()
    old = "body: [layer]"
    assert old in text
    path = tmp_path / "mine.yaml"
    changed = text.replace("  layer:\n", "  layer:\n    params: {eps: 0.00001}\n")
    changed = changed.replace(
        "{name: post_attention_layernorm, eps: 0.00001}", "{name: post_attention_layernorm, eps: eps}"
    )
    path.write_text(changed.replace(old, "index: i, body: [layer: {eps: 0.001 if i == 2 else 0.00001}]"))
    with pytest.raises(
        UsageError, match=r"model.layers.2.post_attention_layernorm .* its eps is 0.001, and that of model"
    ):
        hugging_face_form(netspec.load(path, **SMALL, groups=2).graph)


@pytest.mark.parametrize(
    "name", ["lenet", "mamba", "t5", "mixtral", "transformer", "llama_cached", "lstm_lm", "vit", "vae"]
)
def test_other_networks_are_none(name: str) -> None:
    with pytest.raises(UsageError, match=r"GPT-2, Llama (or|and) BERT"):
        hugging_face_form(netspec.load(name).graph)


OWN_WORDS = """\
netspec: 1
name: writer
dims: {B: 1, L: {default: 20, max: 40}}
inputs: {words: {shape: [B, L], dtype: int64, below: 61}}
blocks:
  one:
    body:
      - rms_norm: {name: first, eps: 0.001}
      - linear: {name: v, out_features: 32, bias: false}
      - reshape: {shape: [B, L, 4, 8]}
      - permute: {name: values, dims: [0, 2, 1, 3]}
      - linear: {name: k, from: first, out_features: 32, bias: false}
      - reshape: {shape: [B, L, 4, 8]}
      - permute: [0, 2, 1, 3]
      - rotary_embedding: {name: keys}
      - linear: {name: q, from: first, out_features: 32, bias: false}
      - reshape: {shape: [B, L, 4, 8]}
      - permute: [0, 2, 1, 3]
      - rotary_embedding: {name: queries}
      - scaled_dot_product_attention: {query: queries, key: keys, value: values, is_causal: true}
      - permute: [0, 2, 1, 3]
      - reshape: {shape: [B, L, 32]}
      - linear: {name: out, out_features: 32, bias: false}
      - add: {name: middle, from: [input, prev]}
      - rms_norm: {name: second, eps: 0.001}
      - linear: {name: up, out_features: 50, bias: false}
      - linear: {name: gated, from: second, out_features: 50, bias: false}
      - relu
      - multiply: {from: [up, prev]}
      - linear: {name: down, out_features: 32, bias: false}
      - add: {from: [middle, prev]}
network:
  - embedding: {name: known, num_embeddings: 61, embedding_dim: 32}
  - repeat: {name: blocks, count: 2, body: [one]}
  - rms_norm: {name: last, eps: 0.001}
  - linear: {name: scores, out_features: 61, bias: false, tie: {weight: known.weight}}
"""


def own_words(path: Path) -> HuggingFaceForm:
    path.write_text(OWN_WORDS)
    return hugging_face_form(netspec.load(path).graph)


def test_the_form_follows_from_the_steps_and_not_from_their_names(tmp_path: Path) -> None:
    form = own_words(tmp_path / "writer.yaml")
    assert form.architecture == "LlamaForCausalLM"
    assert form.keys["blocks.1.q.weight"] == "model.layers.1.self_attn.q_proj.weight"
    assert form.keys["blocks.0.k.weight"] == "model.layers.0.self_attn.k_proj.weight"
    assert form.keys["blocks.0.gated.weight"] == "model.layers.0.mlp.gate_proj.weight"
    assert form.keys["known.weight"] == "model.embed_tokens.weight"
    assert "scores.weight" not in form.keys
    assert form.inputs == {"words": "input_ids"}
    config = dict(form.config)
    assert config["hidden_act"] == "relu"
    assert config["rms_norm_eps"] == 0.001
    assert config["tie_word_embeddings"] is True
    assert config["max_position_embeddings"] == 40
    assert (config["head_dim"], config["intermediate_size"], config["rope_theta"]) == (8, 50, 10000.0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{name: k, from: first,",
            "{name: k, tie: {weight: v.weight}, from: first,",
            r"blocks.0.k is not .*: `blocks.0.k.w",
        ),
        (
            "repeat: {name: blocks, count: 2, body: [one]}",
            "one: {name: block}\n  - share: {step: block, name: again}",
            "block.first is not .*: it runs with the weights of another step, `block.first.weight`: there `rms_norm` "
            r"\(model.layers.1.input_layernorm\) has weights of its own",
        ),
    ],
)
def test_weights_that_are_one_here_and_several_there_are_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in OWN_WORDS
    path = tmp_path / "writer.yaml"
    path.write_text(OWN_WORDS.replace(old, new))
    with pytest.raises(UsageError, match=said):
        hugging_face_form(netspec.load(path).graph)
