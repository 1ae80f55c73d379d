"""Generation: with the cache as without, in PyTorch as on onnxruntime, and beams and draws as transformers has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo import language

import netspec
from netspec.runtime.decoding.choosing import Choosing, generate, probabilities
from netspec.runtime.decoding.decoder import WordDecoder
from netspec.runtime.module import build_module

SMALL = {"vocab": 50, "width": 32, "heads": 4, "layers": 2, "context": 256}
DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": SMALL,
    "llama": {**SMALL, "groups": 2, "hidden": 48},
    "transformer_dates": {},
    "lstm_lm": {"hidden": 16},
    "seq2seq_dates": {"hidden": 16},
    "t5": {"vocab": 50, "width": 32, "heads": 4, "head_width": 6, "hidden": 40, "layers": 2},
    "mamba": {"vocab": 50, "width": 32, "layers": 2, "state": 5},
}
RUNTIMES = {"torch": WordDecoder.on_torch, "onnx": WordDecoder.on_onnx}
PROMPT = torch.tensor([3, 1, 4, 1, 5])
SOURCE = torch.tensor([[2, 7, 1, 8]])


def telling(name: str) -> tuple[netspec.Model, nn.Module]:
    """A network whose likeliest words vary."""
    model = netspec.load(name, **DECODERS[name])
    module = build_module(model.graph).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model, module


def without_cache(module: nn.Module, choosing: Choosing, *source: Tensor) -> list[int]:
    """The words that are drawn when the whole text is read again for each."""
    words, generator = PROMPT, torch.Generator().manual_seed(choosing.seed)
    with torch.no_grad():
        for _ in range(choosing.most):
            scores = module(*source, words[None])
            scores = (scores["logits"] if isinstance(scores, dict) else scores)[0, -1]
            words = torch.cat([words, torch.multinomial(probabilities(scores, choosing), 1, generator=generator)])
    return words[len(PROMPT) :].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_two_hundred_words_are_those_of_the_network_without_a_cache(name: str) -> None:
    model, module = telling(name)
    source = {name: SOURCE for name in ("source", "input_ids") if name in model.graph.inputs}
    choosing = Choosing(most=200, temperature=3.0, seed=5)
    want = without_cache(module, choosing, *source.values())
    assert len(set(want)) > 10
    for runtime in RUNTIMES.values():
        decoder = runtime(model.graph, module)
        assert [*generate(decoder, PROMPT, choosing, source)] == want


@pytest.fixture(scope="module")
def theirs() -> Any:
    return language.randomised(language.gpt2(vocab_size=50, n_positions=256, n_embd=32, n_head=4, n_layer=2))


@pytest.fixture(scope="module")
def decoder(theirs: Any) -> WordDecoder:
    model = netspec.load("gpt2", **SMALL)
    module = build_module(model.graph).eval()
    module.load_state_dict(theirs.state_dict(), strict=False)
    return WordDecoder.on_torch(model.graph, module)


@pytest.mark.parametrize(("beams", "most", "end"), [(2, 12, 0), (4, 30, 7), (5, 40, 9), (3, 25, None)])
def test_beams_are_those_of_transformers(
    decoder: WordDecoder, theirs: Any, beams: int, most: int, end: int | None
) -> None:
    for first in range(6):
        prompt = torch.cat([PROMPT, torch.tensor([first])])
        want = theirs.generate(
            prompt[None],
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            num_beams=beams,
            do_sample=False,
            max_new_tokens=most,
            eos_token_id=end,
            pad_token_id=49,
        )[0, len(prompt) :].tolist()
        ends = () if end is None else (end,)
        assert [*generate(decoder, prompt, Choosing(most=most, beams=beams, ends=ends))] == want


def t5() -> Any:
    sizes = {"vocab_size": 50, "d_model": 32, "d_kv": 6, "num_heads": 4, "d_ff": 40, "num_layers": 2}
    made = language.transformers.T5ForConditionalGeneration
    return language.randomised(made(made.config_class(**sizes, decoder_start_token_id=0))).eval()


def mamba() -> Any:
    sizes = {"vocab_size": 50, "hidden_size": 32, "state_size": 5, "num_hidden_layers": 2}
    made = language.transformers.MambaForCausalLM
    return language.randomised(made(made.config_class(**sizes, bos_token_id=0, eos_token_id=0, pad_token_id=0))).eval()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("name", ["t5", "mamba"])
def test_other_decoders_write_what_those_of_transformers_do(name: str, beams: int, runtime: str) -> None:
    network: Any = {"t5": t5, "mamba": mamba}[name]()
    model = netspec.load(name, **DECODERS[name])
    module = build_module(model.graph).eval()
    module.load_state_dict(network.state_dict())
    decoder = RUNTIMES[runtime](model.graph, module)
    settings = {"num_beams": beams, "do_sample": False, "max_new_tokens": 40, "eos_token_id": 9, "pad_token_id": 49}
    for first in range(3):
        given = torch.cat([PROMPT, torch.tensor([first])])
        prompt, inputs = (
            (torch.zeros(1, dtype=torch.int64), {"input_ids": given[None]}) if name == "t5" else (given, {})
        )
        want = network.generate(given[None], attention_mask=torch.ones(1, 6, dtype=torch.int64), **settings)[0].tolist()
        got = [*generate(decoder, prompt, Choosing(most=40, beams=beams, ends=(9,)), inputs)]
        assert got == want[len(prompt) :]
        assert len(got) > 1


@pytest.mark.parametrize("settings", [{"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.6}, {"top_k": 9, "top_p": 0.5}])
def test_what_may_be_drawn_is_what_transformers_leaves(settings: dict[str, Any]) -> None:
    scores = torch.randn(50, generator=torch.Generator().manual_seed(2)) * 3
    processors = language.transformers.generation.logits_process
    want = scores[None] / settings.get("temperature", 1)
    if "top_k" in settings:
        want = processors.TopKLogitsWarper(settings["top_k"])(None, want)
    if "top_p" in settings:
        want = processors.TopPLogitsWarper(settings["top_p"])(None, want)
    torch.testing.assert_close(probabilities(scores, Choosing(**settings)), want[0].softmax(-1))


def test_draws_depend_on_the_seed_alone(decoder: WordDecoder) -> None:
    first, again, other = (
        [*generate(decoder, PROMPT, Choosing(most=20, temperature=1.5, seed=seed))] for seed in (3, 3, 4)
    )
    assert first == again != other


def test_a_text_ends_with_the_network_and_with_its_last_word(decoder: WordDecoder) -> None:
    words = [*generate(decoder, PROMPT, Choosing(most=1000))]
    assert len(words) == 256 - len(PROMPT) + 1
    assert [*generate(decoder, PROMPT, Choosing(ends=(words[4],)))] == words[: words.index(words[4]) + 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be a number above 0"),
        ({"top_k": 0}, "top_k must be 1 or more"),
        ({"top_p": 1.5}, "top_p must be above 0, and at most 1"),
        ({"beams": 2, "top_k": 3}, "beams are followed without chance"),
        ({"most": 0}, "max must be 1 or more"),
    ],
)
def test_what_makes_no_sense_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(netspec.UsageError, match=message):
        Choosing(**settings)


def test_a_prompt_must_fit(decoder: WordDecoder) -> None:
    for length, message in ((0, "give a prompt"), (257, "reads at most 256")):
        with pytest.raises(netspec.UsageError, match=message):
            [*generate(decoder, torch.zeros(length, dtype=torch.int64), Choosing())]


@pytest.mark.parametrize("number", [-1, 10**6])
def test_words_beyond_the_vocabulary_are_told(decoder: WordDecoder, number: int) -> None:
    with pytest.raises(netspec.UsageError, match=f"the prompt has {number}: is it another network's tokenizer"):
        [*generate(decoder, torch.tensor([1, number]), Choosing())]
