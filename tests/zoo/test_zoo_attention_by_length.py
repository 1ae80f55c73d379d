"""The experiment on attention and the length of the source: what it counts, and that its command runs."""

from __future__ import annotations

from pathlib import Path

import attention_by_length
import pytest
import torch
from attention_by_length import ATTENTION, LENGTHS, PLAIN, Judged, judge, keeps_up, table
from PIL import Image
from torch import Tensor, nn

from netspec.pipeline import compile_spec
from netspec.train.reading import read_data
from netspec.train.setup import Setup

TINY = ["width=4", "hidden=8", "train.epochs=null", "train.steps=2"]


class Knows(nn.Module):
    """Writes what it has been told, if the source is not too long; of longer ones it gets the last letter wrong."""

    def __init__(self, source: Tensor, target: Tensor, longest: int):
        super().__init__()
        self.known, self.longest = dict(zip(map(tuple, source.tolist()), target)), longest

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        width = 41 - source.shape[1]
        wide = nn.functional.pad(source, (0, width))
        said = torch.stack([self.known[tuple(row)] for row in wide.tolist()])[:, : target.shape[1]].clone()
        ends = (said != 0).sum(1) - 1
        rows = torch.arange(len(said))[lengths > self.longest]
        said[rows, ends[rows]] = 54
        return nn.functional.one_hot(said, 55).float()


def test_what_is_counted_is_right_from_end_to_end():
    graph = compile_spec(PLAIN)
    setup = Setup(graph, read_data(graph), torch.device("cpu"))
    rows = setup.data.test.tensors
    setup.model = Knows(rows["source"], rows["next"], longest=25)
    found = judge(setup)
    assert [found.share(low, high) for low, high in LENGTHS] == [1, 1, 1, 0, 0]
    assert [found.rows(low, high) for low, high in LENGTHS] == [403, 599, 299, 372, 327]
    exact = setup.evaluate(setup.test)["exact_match"]
    assert exact == pytest.approx(found.share(0, 99), abs=1e-6) == pytest.approx((403 + 599 + 299) / 2000)


def test_attention_keeps_up_only_if_it_is_well_ahead_where_sources_are_long():
    lengths = torch.tensor([10, 10, 40, 40, 40, 40])
    nothing, half, most = (
        Judged(lengths, torch.tensor(right)) for right in ([1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0])
    )
    assert keeps_up({PLAIN: nothing, ATTENTION: half})
    assert keeps_up({PLAIN: half, ATTENTION: most})
    assert not keeps_up({PLAIN: half, ATTENTION: half})
    assert not keeps_up({PLAIN: most, ATTENTION: half})


@pytest.mark.slow
def test_the_command_tells_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture = tmp_path / "new" / "picture.png"
    assert attention_by_length.main([*(word for text in TINY for word in ("--set", text)), "-o", str(picture)]) == 1
    told = capsys.readouterr().out
    assert "plain encoder-decoder: " in told
    assert "\nsource             dates   plain encoder-decoder          with attention\n" in told
    assert "\n8 to 13 letters      403                   0.0 %                   0.0 %\n" in told
    with Image.open(picture) as drawn:
        assert drawn.size == (1024, 576)


def test_a_line_has_both():
    lengths = torch.tensor([low for low, _ in LENGTHS])
    right = torch.ones(len(LENGTHS), dtype=torch.bool)
    text = table({PLAIN: Judged(lengths, ~right), ATTENTION: Judged(lengths, right)})
    assert [line.split()[-4:] for line in text.splitlines()[1:]] == [["0.0", "%", "100.0", "%"]] * len(LENGTHS)
