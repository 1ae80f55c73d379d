"""Texts and pairs of texts: what their numbers stand for is what was written."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from train.data.reading import fault, fits, read

from netspec.recipes.data.files import Pairs, Text
from netspec.train.data.readers.pairs import BOS, EOS, PAD

QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\r\ufeff")


@QUICK
@given(text=st.text(CHARACTERS, min_size=8, max_size=60), length=st.integers(1, 7))
def test_windows_follow_each_other(tmp_path, text, length):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8", newline="")
    data_set = Text(path="a.txt", length=length)
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    rows, words = data.train.tensors, data.words["tokens"]
    assert len(data.train) == (len(text) - 1) // length
    assert "".join(words[token] for token in rows["tokens"].flatten()) == text[: len(data.train) * length]
    assert "".join(words[token] for token in rows["next"].flatten()) == text[1 : len(data.train) * length + 1]


def test_rare_words_and_those_of_the_test_alone_are_unknown(tmp_path):
    (tmp_path / "a.txt").write_text("the cat, the dog, the cow, the cat")
    (tmp_path / "b.txt").write_text("the bat")
    data = read(Text(path="a.txt", level="word", length=1, least=2, test="b.txt"), tmp_path)
    assert data.words["next"] == ("<unk>", "the", ",", "cat")
    assert data.train.tensors["tokens"].flatten().tolist() == [1, 3, 2, 1, 0, 2, 1, 0, 2, 1]
    assert data.test.tensors["next"].tolist() == [[0]]
    assert data.columns["next"].classes == 4


def test_a_text_that_is_too_short(tmp_path):
    (tmp_path / "a.txt").write_text("six words are in this text")
    told = "a.txt has 6 words, but one window and the next word are 7\na smaller `length` makes more windows"
    assert fault(Text(path="a.txt", level="word", length=6), tmp_path) == told
    assert len(read(Text(path="a.txt", level="word", length=5), tmp_path).train) == 1


LINES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=9)


@QUICK
@given(pairs=st.lists(st.tuples(LINES, LINES), min_size=1, max_size=6))
def test_pairs_come_back_padded(tmp_path, pairs):
    (tmp_path / "a.tsv").write_text("".join(f"{a}\t{b}\tfrom a book\n" for a, b in pairs), encoding="utf-8")
    for side, name in enumerate(("en", "fr")):
        (tmp_path / name).write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    data_set = Pairs(path="a.tsv", level="char")
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    two = read(Pairs(path=["en", "fr"], level="char"), tmp_path)
    for name, tensor in data.train.tensors.items():
        assert tensor.equal(two.train.tensors[name])
    assert data.columns["source"].shape == (max(len(a) for a, _ in pairs),)
    assert data.columns["next"].shape == (max(len(b) for _, b in pairs) + 1,)
    for row, (source, target) in enumerate(pairs):
        taken = {name: tensor[0].tolist() for name, tensor in data.train.take(torch.tensor([row])).items()}
        assert taken["lengths"] == len(source)
        assert all(number == PAD for number in taken["source"][len(source) :])
        assert taken["source_padding"] == [place >= len(source) for place in range(len(taken["source"]))]
        assert "".join(data.words["source"][number] for number in taken["source"][: len(source)]) == source
        end = taken["next"].index(EOS)
        assert "".join(data.words["next"][number] for number in taken["next"][:end]) == target
        assert taken["target"][: end + 1] == [BOS, *taken["next"][:end]]
        assert {*taken["next"][end + 1 :], *taken["target"][end + 1 :]} <= {PAD}


def test_words_of_the_training_pairs(tmp_path):
    (tmp_path / "a.tsv").write_text("go on !\tva , va\ngo home now please\tva\n\n")
    (tmp_path / "b.tsv").write_text("go away\tva\n")
    data = read(Pairs(path="a.tsv", longest=3, test="b.tsv"), tmp_path)
    assert len(data.train) == 1
    assert data.words["source"] == ("<pad>", "<bos>", "<eos>", "<unk>", "!", "go", "on")
    assert data.words["target"] == data.words["next"] == ("<pad>", "<bos>", "<eos>", "<unk>", "va", ",")
    assert data.test.tensors["source"].tolist() == [[5, 3, 0]]


def test_both_texts_may_share_their_words(tmp_path):
    (tmp_path / "a.tsv").write_text("a b\tb c\n")
    data = read(Pairs(path="a.tsv", shared=True), tmp_path)
    assert data.words["source"] == data.words["target"] == ("<pad>", "<bos>", "<eos>", "<unk>", "b", "a", "c")
    assert data.train.tensors["source"].tolist() == [[5, 4]]
    assert data.train.tensors["target"].tolist() == [[1, 4, 6]]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("a\tb\nc d\n", "a.tsv, line 2: two texts with a tab between them are expected"),
        ("a\t \n", "a.tsv, line 1: two texts with a tab between them are expected"),
        ("\n\n", "a.tsv has no pairs"),
        ("a b c\td\n", "a.tsv has no pairs of at most 2"),
    ],
)
def test_lines_that_are_no_pairs(tmp_path, lines, told):
    (tmp_path / "a.tsv").write_text(lines)
    assert fault(Pairs(path="a.tsv", longest=2), tmp_path) == told


def test_files_that_do_not_go_together(tmp_path):
    (tmp_path / "en").write_text("a\nb\n")
    (tmp_path / "fr").write_text("c\n")
    assert fault(Pairs(path=["en", "fr"]), tmp_path) == "en has 2 lines, but fr has 1"
    (tmp_path / "fr").write_text("c\n\n\n")
    assert fault(Pairs(path=["en", "fr"]), tmp_path) == "en has 2 lines, but fr has 1"
    (tmp_path / "fr").write_text("\nd\n")
    assert fault(Pairs(path=["en", "fr"]), tmp_path) == "fr, line 1 is empty"
