"""Words that a network does not know are told, wherever it reads them; and where a text ends before it was to."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from netspec.cli import main

WRITER = """\
netspec: 1
name: writer
inputs: {tokens: {shape: [N, T], dtype: int64}}
network: [{embedding: {num_embeddings: 9, embedding_dim: 4}}, {learned_positions: 8}, {linear: 9}]
train: {data: {text: {path: a.txt, length: 8}}, loss: cross_entropy, optimizer: adam, epochs: 1, devices: cpu}
"""
PAIRS = """\
netspec: 1
name: pairs
inputs: {source: {shape: [N, S], dtype: int64}, target: {shape: [N, T], dtype: int64}}
network:
  - embedding: {from: source, num_embeddings: 12, embedding_dim: 4}
  - gru: {name: encoder, hidden_size: 4}
  - embedding: {from: target, num_embeddings: 12, embedding_dim: 4}
  - gru: {name: decoder, h_0: encoder.h_n, hidden_size: 4}
  - linear: {from: decoder.output, out_features: 12}
train: {data: {pairs: a.tsv}, loss: cross_entropy, optimizer: adam, epochs: 1, devices: cpu}
"""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as told:
        Path("writer.yaml").write_text(WRITER)
        Path("pairs.yaml").write_text(PAIRS)
        Path("a.txt").write_text("abc cba " * 9)
        Path("b.txt").write_text("abx cba yab cba xxx")
        Path("a.tsv").write_text("go on\tva\ngo home\tva la\n")
        Path("b.tsv").write_text("go away now\tva la\n")
        assert main(["train", "writer.yaml"]) == 0
        assert told.getvalue().endswith("  netspec generate runs/writer/1 --prompt 'a text'\n")
        assert main(["train", "pairs.yaml"]) == 0
        assert told.getvalue().endswith("  netspec generate runs/pairs/1 --prompt 'a text'\n")
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["generate", "runs/writer/1", "--prompt", "abzza", "--max", "2"], "2 of 5 characters in the text are unknown"),
        (["predict", "runs/writer/1", "abczyabc"], "2 of 8 characters in the text are unknown"),
        (["evaluate", "runs/writer/1", "--data", "text: b.txt"], "5 of 19 characters in b.txt are unknown"),
        (["generate", "runs/pairs/1", "--prompt", "go far", "--max", "2"], "1 of 2 words in the text is unknown"),
        (["evaluate", "runs/pairs/1", "--data", "pairs: b.tsv"], "2 of 3 words in `source` of train are unknown"),
    ],
)
def test_unknown_words_are_counted_and_named(
    folder: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(words) == 0
    found = capsys.readouterr()
    assert f"{told} to the network, which reads them as <unk>: `" in found.err
    assert "unknown" not in found.out


def test_a_text_that_is_longer_than_what_is_read_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["predict", "runs/writer/1", "abcabcabcabc"]) == 0
    assert "the network reads 8 at once: of 12, these are the last" in capsys.readouterr().err


def test_a_text_that_ends_at_the_last_position(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["generate", "runs/writer/1", "--prompt", "abc", "--max", "20"]) == 0
    told = capsys.readouterr()
    assert told.err == "netspec: the text ends after 6 of 20: the network has 8 positions, the prompt included\n"
    assert len(told.out) == 7
    assert main(["generate", "runs/writer/1", "--prompt", "abc", "--max", "6"]) == 0
    assert capsys.readouterr().err == ""


def test_unknown_words_of_held_back_texts_are_told_in_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["train", "writer.yaml", "--set", "train.data.text.validation=b.txt", "--dry-run"]) == 0
    assert "5 of 19 characters in b.txt are unknown to the network" in capsys.readouterr().out
