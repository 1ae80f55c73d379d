"""``netspec generate`` as a user meets it: runs that continue and that translate, and a spec with a tokenizer."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from zoo.language import randomised, transformers

import netspec
from netspec.cli import main
from netspec.train.predict.answers import Predictor
from netspec.train.predict.trained_run import TrainedRun

LETTERS = """\
netspec: 1
name: letters
inputs: {tokens: {shape: [N, T], dtype: int64}}
network: [{embedding: {num_embeddings: 27, embedding_dim: 8}}, {gru: 8}, {linear: 27}]
train: {data: {alice: 12}, loss: cross_entropy, optimizer: adam, steps: 3, batch: 256}
"""
DATES = """\
netspec: 1
name: dates
dims: {N: 1, S: 8, T: 8}
inputs:
  source: {shape: [N, S], dtype: int64}
  target: {shape: [N, T], dtype: int64}
  lengths: {shape: [N], dtype: int64, optional: true}
network:
  - embedding: {from: source, num_embeddings: 55, embedding_dim: 8}
  - gru: {name: encoder, hidden_size: 8, lengths: lengths}
  - embedding: {from: target, num_embeddings: 55, embedding_dim: 8}
  - gru: {name: decoder, h_0: encoder.h_n, hidden_size: 8}
  - linear: {from: decoder.output, out_features: 55}
train: {data: dates, loss: cross_entropy, optimizer: adam, steps: 3, batch: 256}
"""
TINY = {"vocab": 12, "width": 8, "heads": 2, "layers": 1, "context": 32}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for text in (LETTERS, DATES):
            name = text.split()[3]
            Path(f"{name}.yaml").write_text(text)
            assert main(["train", f"{name}.yaml", "--device", "cpu"]) == 0
    return folder


def written(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["generate", *arguments]) == 0
    return capsys.readouterr().out


def test_a_run_goes_on_with_a_text(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(runs)
    for runtime in ("torch", "onnx"):
        text = written(capsys, "runs/letters/1", "--prompt", "The cat", "--max", "30", "--runtime", runtime)
        (run,) = TrainedRun.find("runs/letters/1")
        module, letters = run.module("torch"), " abcdefghijklmnopqrstuvwxyz"
        words = [letters.index(letter) for letter in "the cat"]
        with torch.no_grad():
            for _ in range(30):
                words.append(int(module(torch.tensor([words]))[0, -1].argmax()))
        assert text == "".join(letters[word] for word in words[7:]) + "\n"


def test_draws_are_those_of_the_seed(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(runs)
    first, again, other = (
        written(capsys, "runs/letters/last", "--prompt", "cat", "--temperature", "1", "--seed", seed) for seed in "112"
    )
    assert first == again != other
    assert len(first) == 101
    coldest = written(capsys, "runs/letters/last", "--prompt", "cat", "--temperature", "1e-60")
    assert coldest == written(capsys, "runs/letters/last", "--prompt", "cat")


def test_a_run_answers_a_text(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(runs)
    (run,) = TrainedRun.find("runs/dates/1")
    (answer,) = Predictor(run).answers("1 may 2001")
    assert answer.text is not None
    count = len(answer.text)
    text = written(capsys, "runs/dates/1", "--prompt", "1 may 2001", "--max", str(count))
    assert text.startswith(answer.text[: len(text) - 1])
    assert written(capsys, "runs/dates/1", "--prompt", "1 may 2001", "--beams", "3", "--max", "9")


def test_a_spec_writes_with_weights_and_a_tokenizer(tmp_path: Path, capsys) -> None:
    words = {word: number for number, word in enumerate([*"abcdefghijk", "</s>"])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="a"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    model = netspec.load("gpt2", **TINY)
    module = model.module(seed=3).eval()
    save_file({key: each.clone() for key, each in module.state_dict().items()}, tmp_path / "own.safetensors")
    given = ["--weights", str(tmp_path / "own.safetensors"), "--tokenizer", str(tmp_path / "tokenizer.json")]
    settings = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    text = written(capsys, "gpt2", "--prompt", "a c d", "--max", "6", *given, *settings)
    numbers = model.generate([0, 2, 3], module, choosing=netspec.Choosing(most=6, ends=(11,)))
    assert text.split() == tokenizer.decode([number for number in numbers if number != 11]).split()
    assert main(["generate", "gpt2", "--prompt", "a", *given, *settings, "--set", "layers=2"]) == 2
    assert "own.safetensors has no `transformer.h.1.ln_1.weight`, " in capsys.readouterr().err
    by_text = model.generate("a c d", module, tokenizer=tmp_path / "tokenizer.json", choosing=netspec.Choosing(most=6))
    assert by_text == text.rstrip("\n")
    assert main(["generate", "gpt2", "--prompt", "a", "--tokenizer", str(tmp_path / "none.json")]) == 2
    tokenizers.Tokenizer(tokenizers.models.WordLevel(words)).save(str(tmp_path / "tokenizer.json"))  # no unknown word
    capsys.readouterr()
    assert main(["generate", "gpt2", "--prompt", "xyz", *given, *settings]) == 2
    assert "the tokenizer cannot read the prompt: " in capsys.readouterr().err
    with pytest.raises(netspec.UsageError, match="a text needs a tokenizer"):
        model.generate("a", module)
    with pytest.raises(netspec.UsageError, match=r"one text, \(T\), not \[1, 2\]"):
        model.generate(torch.tensor([[1, 2]]), module)
    with pytest.raises(netspec.UsageError, match="on `torch` or on `onnx`, not on `cuda`"):
        model.generate([1, 2], module, runtime="cuda")


def words_in(folder: Path, ends: str) -> tokenizers.Tokenizer:
    """A folder's tokenizer of the letters a to j, padding, and what ends a text."""
    words = {"<pad>": 0, **{letter: number for number, letter in enumerate("abcdefghij", 1)}, ends: 11}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="a"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(folder / "tokenizer.json"))
    return made


@pytest.mark.slow
def test_a_folder_of_hugging_faces_has_weights_tokenizer_and_ends(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "theirs"
    config = transformers.GPT2Config(
        vocab_size=12, n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=11, eos_token_id=[4, 11]
    )
    network = randomised(transformers.GPT2LMHeadModel(config)).eval()
    network.save_pretrained(folder)
    tokenizer = words_in(folder, "<eos>")
    sizes = {"vocab": 12, "context": 64, "width": 16, "layers": 1, "heads": 2}
    settings = [part for name, value in sizes.items() for part in ("--set", f"{name}={value}")]
    text = written(capsys, "gpt2", "--prompt", "a c d", "--max", "20", "--weights", str(folder), *settings)
    want = network.generate(torch.tensor([tokenizer.encode("a c d").ids]), max_new_tokens=20, do_sample=False)[0, 3:]
    assert text.split() == tokenizer.decode([number for number in want.tolist() if number not in (4, 11)]).split()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_an_encoder_and_decoder_answers_the_prompt(runtime: str, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "theirs"
    kind = transformers.T5ForConditionalGeneration
    config = kind.config_class(
        vocab_size=12, d_model=16, d_kv=4, num_heads=2, d_ff=20, num_layers=1, decoder_start_token_id=0, eos_token_id=11
    )
    network = randomised(kind(config)).eval()
    network.save_pretrained(folder)
    tokenizer = words_in(folder, "</s>")
    sizes = {"vocab": 12, "width": 16, "heads": 2, "head_width": 4, "hidden": 20, "layers": 1}
    settings = [part for name, value in sizes.items() for part in ("--set", f"{name}={value}")]
    given = ["--weights", str(folder), "--max", "15", "--runtime", runtime, *settings]
    text = written(capsys, "t5", "--prompt", "a c d", *given)
    source = torch.tensor([tokenizer.encode("a c d").ids])
    want = network.generate(source, max_new_tokens=15, do_sample=False)[0, 1:].tolist()
    assert text.split() == tokenizer.decode([number for number in want if number != 11]).split()
    (folder / "config.json").write_text("{}")
    (folder / "generation_config.json").unlink()
    assert written(capsys, "t5", "--prompt", "a c d", *given) == text  # by the name of padding
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    made.save(str(folder / "tokenizer.json"))
    assert main(["generate", "t5", "--prompt", "a", *given]) == 2
    assert "nothing says which word an answer begins with" in capsys.readouterr().err


def test_what_writes_no_text_is_told(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(runs)
    assert main(["generate", "runs/letters/1", "--prompt", "a", "--temperature", "-1"]) == 2
    assert "temperature must be a number above 0" in capsys.readouterr().err
    assert main(["generate", "runs/letters/1", "--prompt", "a", "--temperature", "nan"]) == 2
    assert main(["generate", "runs/letters/1", "--prompt", "a", "--seed", "9" * 30]) == 2
    assert "seed must have 64 bits" in capsys.readouterr().err
    assert main(["generate", "lstm_lm", "--prompt", "a"]) == 2
    assert "a spec writes with --weights and --tokenizer" in capsys.readouterr().err
    assert main(["generate", "runs/letters/1", "--prompt", ""]) == 2
    assert "give a prompt" in capsys.readouterr().err
    assert main(["generate", "runs/nothing/1", "--prompt", "a"]) == 2


def test_the_cached_form_has_a_table_a_source_and_files(tmp_path: Path, capsys) -> None:
    for part in ("step", "begin"):
        file = str(tmp_path / f"{part}.onnx")
        assert main(["export", "seq2seq_dates", "--set", "hidden=4", "--cached", part, "-o", file]) == 0
    capsys.readouterr()
    assert main(["shapes", "seq2seq_dates", "--cached"]) == 0
    assert "past_h" in capsys.readouterr().out
    assert main(["source", "seq2seq_dates", "--cached", "begin"]) == 0
    assert "def forward(self, source)" in capsys.readouterr().out
    assert main(["source", "lstm_lm", "--cached", "begin"]) == 2
    assert "has no inputs beside the words" in capsys.readouterr().err
    assert main(["shapes", "bert", "--cached"]) == 2
    assert "bert.yaml:" in capsys.readouterr().err
