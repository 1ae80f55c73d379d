"""The cached form of decoders: word by word they give what the whole network gives, with the same keys of weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import netspec
from netspec.cached import CachedForm, cached_form
from netspec.dims import evaluate_shape, substitute
from netspec.graph import Graph
from netspec.runtime.module import build_module

SMALL = {"vocab": 50, "width": 32, "heads": 4, "layers": 2, "context": 64}
GROUPED = {**SMALL, "groups": 2, "hidden": 48}
DECODERS = {
    "gpt2": SMALL,
    "llama": GROUPED,
    "mixtral": GROUPED,
    "transformer_dates": {},
    "lstm_lm": {"hidden": 16, "layers": 2},
    "lstm_lm_gates": {"hidden": 16, "layers": 2},
    "rnn_lm": {"hidden": 16},
    "gru_lm": {"hidden": 16},
    "seq2seq_dates": {"hidden": 16},
    "t5": {"vocab": 50, "width": 32, "heads": 4, "head_width": 6, "hidden": 40, "layers": 2},
    "t5_v1_1_base": {"vocab": 50, "width": 32, "heads": 4, "head_width": 6, "hidden": 40, "layers": 2},
    "mamba": {"vocab": 50, "width": 32, "layers": 2, "state": 5},
    "wavenet": {"levels": 50, "width": 8, "skip": 12, "depth": 3, "stacks": 2},
}


def filled(graph: Graph, weights: dict[str, Tensor]) -> nn.Module:
    """A module of a graph that is a part of another, with its weights."""
    module = build_module(graph).eval()
    assert not module.load_state_dict(weights, strict=False).missing_keys
    return module


def by_name(graph: Graph, outputs: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    return outputs if isinstance(outputs, dict) else dict(zip(graph.outputs, [outputs]))


def stepped(form: CachedForm, weights: dict[str, Tensor], words: Tensor, source: Tensor, pieces: list[int]) -> Tensor:
    """The scores of words, read in pieces."""
    step, given = filled(form.step, weights), {}
    if form.begin is not None:
        given = by_name(form.begin, filled(form.begin, weights)(source))
    sizes = {"N": len(words), "P": 0}
    states = {
        state.past: torch.zeros(evaluate_shape(form.step.inputs[state.past].shape, sizes))
        if state.start is None
        else given[state.start]
        for state in form.states
    }
    scores = []
    for piece in words.split(pieces, dim=1):
        inputs = {**given, **states, form.words: piece}
        outputs = by_name(form.step, step(*[inputs[name] for name in form.step.inputs]))
        states = {state.past: outputs[state.present] for state in form.states}
        scores.append(outputs[form.scores])
    return torch.cat(scores, 1)


@pytest.mark.parametrize("name", DECODERS)
def test_words_in_pieces_are_scored_as_all_at_once(name: str) -> None:
    graph = netspec.load(name, **DECODERS[name]).graph
    module = build_module(graph).eval()
    generator = torch.Generator().manual_seed(0)
    words, source = (torch.randint(0, 28, (2, length), generator=generator) for length in (12, 5))
    form = cached_form(graph)
    given = {name: source for name in ([] if form.begin is None else form.begin.inputs)}
    with torch.no_grad():
        want = by_name(graph, module(**given, **{form.words: words}))[form.scores]
        got = stepped(form, module.state_dict(), words, source, [5, 1, 1, 3, 1, 1])
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_what_is_known_before_the_words_is_made_once() -> None:
    form = cached_form(netspec.load("transformer_dates").graph)
    assert form.begin is not None
    assert [*form.begin.inputs] == ["source"]
    assert form.memory == ("memory_0", "memory_1", "memory_2", "memory_3")  # keys and values of two layers
    assert "encoder" not in [step.name for step in form.step.body.steps]


def test_cross_attention_reads_the_encoder_once() -> None:
    form = cached_form(netspec.load("t5", **DECODERS["t5"]).graph)
    assert form.begin is not None
    assert "encoder" in {step.name for step in form.begin.body.steps}
    assert "encoder" not in {step.name for step in form.step.body.steps}
    shapes = [str(form.step.inputs[name].shape) for name in form.memory]
    assert len([shape for shape in shapes if "4, Dim(S), 6" in shape]) == 4  # keys and values of two layers


SHARED = """
netspec: 1
name: shared
inputs: {words: {shape: [N, T], dtype: int64, below: 9}}
network:
  - embedding: {num_embeddings: 9, embedding_dim: 6}
  - transpose: {dim0: 1, dim1: 2}
  - pad: [4, 0]
  - conv1d: {name: first, out_channels: 6, kernel_size: 3, dilation: 2}
  - tanh
  - pad: {name: again, pad: [4, 0]}
  - share: {step: first, name: second}
  - transpose: {dim0: 1, dim1: 2}
  - linear: 9
"""


def test_a_convolution_that_runs_twice_keeps_words_for_each(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(SHARED)
    graph = netspec.load(tmp_path / "shared.yaml").graph
    module, form = build_module(graph).eval(), cached_form(graph)
    words = torch.randint(0, 9, (2, 14), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got = stepped(form, module.state_dict(), words, words, [3, 1, 1, 6, 1, 2])
        torch.testing.assert_close(got, module(words), rtol=1e-5, atol=1e-6)
    assert len(form.states) == 2


@pytest.mark.parametrize("name", ["mamba", "wavenet"])
def test_states_and_windows_do_not_grow(name: str) -> None:
    form = cached_form(netspec.load(name, **DECODERS[name]).graph)
    assert all(state.axis is None for state in form.states)
    one = substitute(form.step.body.macs, {"N": 1, "T": 1})
    assert isinstance(one, int)
    assert not any("P" in str(value.shape) for value in form.step.inputs.values())


def test_a_step_costs_what_one_word_costs_and_attention_over_those_before() -> None:
    whole = netspec.load("gpt2", **SMALL).graph
    form = cached_form(whole)
    one = {"N": 1, "T": 1}
    before = [substitute(form.step.body.macs, {**one, "P": past}) for past in (0, 10, 20)]
    assert before[0] == substitute(whole.body.macs, one)
    assert [after - before[0] for after in before[1:]] == [2 * 2 * 32 * 10, 2 * 2 * 32 * 20]  # layers, keys and values


def test_conditions_on_the_length_count_the_words_before() -> None:
    form = cached_form(netspec.load("gpt2", **SMALL).graph)
    ((left, right),) = {(str(each.left), str(each.right)) for each in form.step.requirements}
    assert (left, right) == ("64", "P + T")


REFUSED = {
    "is not causal, so that each word sees those after it": "- self_attention: {num_heads: 2}",
    "`conv1d` cannot go word by word: it mixes the words": (
        "- transpose: {dim0: 1, dim1: 2}\n  - conv1d: {out_channels: 8, kernel_size: 3, padding: 1}\n"
        "  - transpose: {dim0: 1, dim1: 2}"
    ),
    "it reads what an earlier step makes of all words": (
        "- transpose: {dim0: 1, dim1: 2}\n  - pad: [2, 0]\n  - relu\n  - conv1d: {out_channels: 8, kernel_size: 3}\n"
        "  - transpose: {dim0: 1, dim1: 2}"
    ),
    "its `attn_mask` may show words that come later": (
        "- full: {name: flat, size: [T, T], fill_value: -5.0, dtype: float32, like: words}\n"
        "  - scaled_dot_product_attention: {query: 0, key: 0, value: 0, attn_mask: flat}"
    ),
    "its `attn_mask` may show words that come": (  # true are those that come later
        "- full: {name: flat, size: [T, T], fill_value: -1.0e9, dtype: float32, like: words}\n"
        "  - triu: {name: ahead, diagonal: 1}\n  - cast: {name: shown, dtype: bool}\n"
        "  - scaled_dot_product_attention: {query: 0, key: 0, value: 0, attn_mask: shown}"
    ),
    "its `attn_mask` may show words that": (  # 1 is added to the scores of those before
        "- causal_mask: {name: seen, query: 0}\n  - cast: {name: added, dtype: float32}\n"
        "  - scaled_dot_product_attention: {query: 0, key: 0, value: 0, attn_mask: added}"
    ),
    "it mixes numbers of pairs of words": (
        "- full: {name: flat, size: [T, T], fill_value: -1.0e9, dtype: float32, like: words}\n"
        "  - triu: {name: ahead, diagonal: 2}\n"
        "  - scaled_dot_product_attention: {query: 0, key: 0, value: 0, attn_mask: ahead}"
    ),
    "`softmax` cannot go word by word: it mixes the words": "- softmax: 1",
    "`flip` cannot go word by word: it mixes the words": "- flip: {dims: [1]}",
    "it is bidirectional": "- lstm: {hidden_size: 4, bidirectional: true}",
}
SPEC = """
netspec: 1
name: none
inputs: {words: {shape: [N, T], dtype: int64}}
network:
  - embedding: {num_embeddings: 9, embedding_dim: 8}
  STEPS
  - linear: 9
"""


@pytest.mark.parametrize("message", REFUSED)
def test_what_mixes_the_words_is_told_with_its_line(message: str, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text(SPEC.replace("STEPS", REFUSED[message]))
    with pytest.raises(netspec.UsageError) as refused:
        cached_form(netspec.load(path).graph)
    assert message in str(refused.value)
    assert str(refused.value).partition(": ")[0].count(":") == 2


def test_a_network_that_does_not_write_words_is_told() -> None:
    with pytest.raises(netspec.UsageError, match="lenet does not write words"):
        cached_form(netspec.load("lenet").graph)
