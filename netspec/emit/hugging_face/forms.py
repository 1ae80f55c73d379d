"""The networks of Hugging Face's that a spec can be written as: each is a spec of the zoo, which has their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from netspec.dims import Dim
from netspec.emit.hugging_face.matching import ANY, FormSlot
from netspec.emit.hugging_face.normal import NormalForm, RunningNode
from netspec.graph import Node, walk
from netspec.ops.activation.base import Activation

ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "mish": "mish",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "hardswish": "hardswish",
    "leaky_relu": "leaky_relu",
}
"""The activations that both have, by the names of ops, with what a ``config.json`` calls them."""
SCALED = ("factor", "original_max_position_embeddings")
ROTARY: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": (*SCALED, "low_freq_factor", "high_freq_factor"),
    "yarn": (*SCALED, "beta_fast", "beta_slow", "attention_factor"),
}
"""The arguments of a rotary embedding that count for each of its kinds."""
TURNING = ("base", "rope_type", *ROTARY["llama3"], *ROTARY["yarn"][2:])
SINGLE = 2.0**-23
"""The number that torch adds in a norm that is told no ``eps``, in float32."""


class Found(NamedTuple):
    """A graph beside its form: the form's parameters, what stands in its slots, and probabilities of dropout."""

    graph: NormalForm
    sizes: Mapping[str, Any]
    chosen: Mapping[str, Any]
    tied: bool

    @property
    def dropout(self) -> float:
        """The probability with which an element is dropped between layers."""
        return next((step.op.p for step in _steps(self.graph) if step.op.name == "dropout"), 0.0)  # type: ignore[attr-defined]

    @property
    def attention_dropout(self) -> float:
        """The probability with which a weight of attention is dropped."""
        return float(_attention(self.graph)[0].op.dropout_p)  # type: ignore[attr-defined]

    @property
    def padding(self) -> int | None:
        """The number of the word for padding."""
        words = (step.op.padding_idx for step in _steps(self.graph) if step.op.name == "embedding")  # type: ignore[attr-defined]
        return next(words, None)


class NetworkForm(NamedTuple):
    """A network of theirs: ``title`` for people, its ``model_type``, its class (``architecture``), the zoo's ``spec``.

    ``inputs`` has their names for the spec's inputs. ``sizes`` reads the spec's parameters off a graph, ``None`` for
    one that it does not say; ``config`` writes its settings. ``tie`` has the keys of two weights that may be one,
    ``writes`` says that it writes words.
    """

    title: str
    model_type: str
    architecture: str
    spec: str
    inputs: Mapping[str, str]
    slots: tuple[FormSlot, ...]
    sizes: Callable[[NormalForm], dict[str, Any]]
    config: Callable[[Found], dict[str, Any]]
    tie: tuple[str, ...] = ()
    writes: bool = True


def activation(node: Node) -> str | None:
    """Return what an activation is called in a ``config.json``; ``None`` for one that transformers do not have."""
    op = node.op
    if op.name not in ACTIVATIONS:
        return None
    told = {name: value for name, value in op if value != op.default(name) and name != "inplace"}
    if told == {"approximate": "tanh"}:
        return "gelu_pytorch_tanh"
    return None if told else ACTIVATIONS[op.name]


def _steps(form: NormalForm) -> list[Node]:
    """The nodes of a graph as it stands, with what changes nothing in inference."""
    return [step for _, step, training in walk(form.graph.body) if isinstance(step, Node) and not training]


def _attention(form: NormalForm) -> list[Node]:
    return [node.step for node in form.of_kind("scaled_dot_product_attention") if isinstance(node.step, Node)]


def _common(form: NormalForm) -> dict[str, Any]:
    """Return the sizes that every form has. Raises ``LookupError`` where the graph has no layers like theirs."""
    words = form.of_kind("embedding")[0]
    attention = _attention(form)
    vocab, width = _weight(words)
    return {"vocab": vocab, "width": width, "heads": attention[0].inputs[0].shape[1], "layers": len(attention)}


def _weight(node: RunningNode) -> tuple[Any, ...]:
    assert isinstance(node.step, Node)
    return (*node.step.parameters["weight"],)


def _hidden(form: NormalForm) -> Any:
    """The width at the first activation; ``None`` where there is none."""
    found = (node for node in form.nodes if isinstance(node.step, Node) and isinstance(node.step.op, Activation))
    first = next(found, None)
    return None if first is None else first.input_shapes[0][-1]


def _rows(form: NormalForm, kind: str, at: int = 0) -> Any:
    """The number of rows of a table, the one ``at`` a place among those of its kind; ``None`` where it is not there."""
    found = form.of_kind(kind)
    return _weight(found[at])[0] if at < len(found) else None


def _gpt2_sizes(form: NormalForm) -> dict[str, Any]:
    return {**_common(form), "hidden": _hidden(form), "context": _rows(form, "learned_positions")}


def _bert_sizes(form: NormalForm) -> dict[str, Any]:
    return {**_gpt2_sizes(form), "kinds": _rows(form, "embedding", 1)}


def _llama_sizes(form: NormalForm) -> dict[str, Any]:
    first = _attention(form)[0]
    keys = first.inputs[1].shape
    return {
        **_common(form),
        "groups": keys[1],
        "head_width": keys[3],
        "hidden": _hidden(form),
        "context": most_words(form),
    }


def most_words(form: NormalForm) -> int:
    """Return the longest text that a graph takes; without a bound the one at which its costs are quoted."""
    length = next(iter(form.graph.inputs.values())).shape[-1]
    if not isinstance(length, Dim):
        return length
    bounds = [
        each.left
        for each in form.graph.requirements
        if each.relation == ">=" and each.right == length and isinstance(each.left, int)
    ]
    return min(bounds, default=form.graph.sizes.get(str(length), 1))


def _gpt2_config(found: Found) -> dict[str, Any]:
    sizes, chosen = found.sizes, found.chosen
    act = chosen["activation"]
    return {
        "vocab_size": sizes["vocab"],
        "n_positions": sizes["context"],
        "n_embd": sizes["width"],
        "n_layer": sizes["layers"],
        "n_head": sizes["heads"],
        "n_inner": sizes["hidden"],
        "activation_function": "gelu_new" if act == "gelu_pytorch_tanh" else act,
        "layer_norm_epsilon": chosen["eps"],
        "embd_pdrop": found.dropout,
        "resid_pdrop": found.dropout,
        "attn_pdrop": found.attention_dropout,
        "tie_word_embeddings": found.tied,
    }


def _llama_config(found: Found) -> dict[str, Any]:
    sizes, chosen = found.sizes, found.chosen
    rope = {name: chosen[name] for name in ROTARY[chosen["rope_type"]] if chosen[name] is not None}
    return {
        "vocab_size": sizes["vocab"],
        "hidden_size": sizes["width"],
        "intermediate_size": sizes["hidden"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "num_key_value_heads": sizes["groups"],
        "head_dim": sizes["head_width"],
        "hidden_act": chosen["activation"],
        "max_position_embeddings": sizes["context"],
        "rms_norm_eps": SINGLE if chosen["eps"] is None else chosen["eps"],
        "rope_theta": chosen["base"],
        "rope_parameters": {"rope_type": chosen["rope_type"], "rope_theta": chosen["base"], **rope},
        "attention_bias": chosen["attention_bias"],
        "mlp_bias": chosen["mlp_bias"],
        "attention_dropout": found.attention_dropout,
        "tie_word_embeddings": found.tied,
    }


def _bert_config(found: Found) -> dict[str, Any]:
    sizes, chosen = found.sizes, found.chosen
    return {
        "vocab_size": sizes["vocab"],
        "hidden_size": sizes["width"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["hidden"],
        "hidden_act": chosen["activation"],
        "max_position_embeddings": sizes["context"],
        "type_vocab_size": sizes["kinds"],
        "layer_norm_eps": chosen["eps"],
        "hidden_dropout_prob": found.dropout,
        "attention_probs_dropout_prob": found.attention_dropout,
        "pad_token_id": found.padding,
    }


FORMS = (
    NetworkForm(
        "GPT-2",
        "gpt2",
        "GPT2LMHeadModel",
        "gpt2",
        {"ids": "input_ids"},
        (FormSlot("*.ln_*", "eps", "eps"), FormSlot("*.mlp.?", ANY, "activation")),
        _gpt2_sizes,
        _gpt2_config,
        ("lm_head.weight", "transformer.wte.weight"),
    ),
    NetworkForm(
        "Llama",
        "llama",
        "LlamaForCausalLM",
        "llama",
        {"ids": "input_ids"},
        (
            FormSlot("*norm", "eps", "eps"),
            FormSlot("*.mlp.gate", ANY, "activation"),
            FormSlot("*.self_attn.[qkvo]_proj", "bias", "attention_bias"),
            FormSlot("*.mlp.*_proj", "bias", "mlp_bias"),
            *(FormSlot(f"*.self_attn.{name}", each, each) for name in ("query", "key") for each in TURNING),
        ),
        _llama_sizes,
        _llama_config,
        ("lm_head.weight", "model.embed_tokens.weight"),
    ),
    NetworkForm(
        "BERT",
        "bert",
        "BertModel",
        "bert",
        {name: name for name in ("input_ids", "attention_mask", "token_type_ids")},
        (FormSlot("*LayerNorm", "eps", "eps"), FormSlot("*.intermediate.?", ANY, "activation")),
        _bert_sizes,
        _bert_config,
        writes=False,
    ),
)
