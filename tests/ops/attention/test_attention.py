"""Attention, encodings of position and einsum, against torch and onnxruntime."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from ops.oracle import bounded
from ops.several import SIZES, check_several, each, several

from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import constructor_text, lines_of, run_lines


def open_first(values: Values) -> Values:
    """No row of a mask of torch's MultiheadAttention, true where one may not look, forbids all."""
    for value in values[3:]:
        if value is not None:
            value[..., 0] = False
    return values


def see_first(values: Values) -> Values:
    """No row of a mask of ``scaled_dot_product_attention``, true where one may look, forbids all."""
    for value in values[1:]:
        if value is not None and value.dtype == torch.bool:
            value[..., 0] = True
    return values


HEADS = ("N 4 T 8", "N 4 S 8", "N 4 S 6")
SDPA = "scaled_dot_product_attention"


@each(
    several(SDPA, *HEADS, None),
    several(SDPA, *HEADS, None, is_causal=True),
    several(SDPA, *HEADS, None, scale=0.3, dropout_p=0.5),
    several(SDPA, *HEADS, "T S bool"),
    several(SDPA, *HEADS, "N 1 1 S bool"),
    several(SDPA, *HEADS, "N 4 T S"),
    several(SDPA, *HEADS, "N 1 1 S bool", is_causal=True, values=see_first),
    several(SDPA, *HEADS, "T S", is_causal=True),
    several(SDPA, "N T 8", "N S 8", "N S 8", None),
    several(SDPA, "N T 8", "N S 8", "N S 8", "N T S bool"),
    several(SDPA, "N T 8", "N S 8", "N S 8", "N 1 S bool"),
    several(SDPA, "N T 8", "N S 8", "N S 8", "T S"),
    several(SDPA, "T 8", "S 8", "S 8", None, is_causal=True),
    several(SDPA, "N 1 8", "N S 8", "N S 8", "S bool"),
    several(SDPA, "N 6 T 8", "N 2 S 8", "N 2 S 8", None, enable_gqa=True),
    several(SDPA, "N 6 T 8", "N 2 S 8", "N 2 S 8", "T S bool", enable_gqa=True),
    several(SDPA, "N 3 2 T 8", "N 3 2 S 8", "N 3 2 S 6", None),
    several(SDPA, "N 3 2 T 8", "N 3 2 S 8", "N 3 2 S 8", "T S", is_causal=True),
    several(SDPA, "N 3 2 T 8", "N 3 2 S 8", "N 3 2 S 8", "3 1 T S bool", values=see_first),
    several(SDPA, "N 3 4 T 8", "N 3 2 S 8", "N 3 2 S 8", None, enable_gqa=True),
    several("masked_softmax", "N T S", None),
    several("masked_softmax", "N T S", "N 1 S bool", values=see_first),
    several("masked_softmax", "N T S", "T 1 bool", dim=1, values=see_first),
    several("causal_mask", "N T 4", None),
    several("causal_mask", "N T 4", "N S 4"),
)
def test_attention_matches_torch(case: OpCase) -> None:
    check_several(case)


MHA = "multihead_attention"


@each(
    several(MHA, "N T 8", None, None, None, None, num_heads=2),
    several(MHA, "N T 8", None, None, None, None, num_heads=2, is_causal=True, bias=False),
    several(MHA, "N T 8", "N S 8", None, None, None, num_heads=4, dropout=0.2),
    several(MHA, "N T 8", "N S 5", "N S 7", None, None, num_heads=2),
    several(MHA, "T N 8", None, None, None, None, num_heads=2, batch_first=False, is_causal=True),
    several(MHA, "N T 8", "N S 8", "N S 8", "N S bool", None, num_heads=2, values=open_first),
    several(MHA, "N T 8", "N S 8", "N S 8", "N S bool", "T S bool", num_heads=2, values=open_first),
    several(MHA, "N T 8", None, None, None, "T T bool", num_heads=2, is_causal=True, values=open_first),
)
def test_multihead_matches_torch(case: OpCase) -> None:
    check_several(case)


@each(
    several("learned_positions", "N T 6", None, max_length=11),
    several("learned_positions", "T 6", None, max_length=11),
    several("learned_positions", "N T 6", "T int64<11", max_length=11),
    several("learned_positions", "N 2 T 6", "N T int64<11", max_length=11),
    several("sinusoidal_positions", "N T 6", "T int64<99"),
    several("sinusoidal_positions", "N 2 T 6", "N T int64<99"),
    several("sinusoidal_positions", "N T 6", None),
)
def test_positions_match_torch(case: OpCase) -> None:
    check_several(case)


def test_rotary_products_depend_on_distance_alone() -> None:
    for interleaved in (False, True):
        op = several("rotary_embedding", interleaved=interleaved).op()
        query, key = torch.randn(8), torch.randn(8)
        turned = [run_lines(op, None, (Tensor((6, 8)), None), [x.expand(6, 8), None], {0})[0] for x in (query, key)]
        products = turned[0] @ turned[1].T
        torch.testing.assert_close(products[3, 1], products[5, 3])
        torch.testing.assert_close(products[2, 2], query @ key)


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    op = several("sinusoidal_positions").op()
    made = run_lines(op, None, (Tensor((7, 6)), None), [torch.zeros(7, 6), None], {0})[0]
    for place in range(7):
        for pair in range(3):
            angle = torch.tensor(place / 10_000 ** (2 * pair / 6))
            torch.testing.assert_close(made[place, 2 * pair : 2 * pair + 2], torch.stack((angle.sin(), angle.cos())))


@each(
    several("einsum", "N T 4", "N S 4", equation="ntc,nsc->nts"),
    several("einsum", "N T", "N T", equation="nt,nt->nt"),
    several("einsum", "N T", "N T", equation="nt, nt -> n"),
    several("einsum", "N", "T", equation="n,t->nt"),
    several("einsum", "N T", "S 4", equation="nt,sc->nc"),
    several("einsum", "N T 4", "N 4 S", "S 3", equation="ntc,ncs,sd->ntd"),
    several("einsum", "N T 4", equation="ntc->nt"),
    several("einsum", "N T", "N T", equation="nt,nt->"),
)
def test_einsum_matches_torch(case: OpCase) -> None:
    """MACs too, except at sizes of 1, where torch multiplies element by element, which its counter leaves out."""
    check_several(replace(case, sizes=SIZES[::2]))
    check_several(replace(case, macs=False))


@pytest.mark.parametrize(
    ("case", "reads", "lines"),
    [
        (
            several(SDPA, "4 T 8", "4 T 8", "4 T 8", None, is_causal=True, dropout_p=0.1),
            (0,),
            ["x = F.scaled_dot_product_attention(a, b, c, dropout_p=0.1 if self.training else 0.0, is_causal=True)"],
        ),
        (
            several(SDPA, "4 T 8", "4 T 8", "4 T 8", "T T bool"),
            (0,),
            ["x = F.scaled_dot_product_attention(a, b, c, attn_mask=d)"],
        ),
        (
            several(SDPA, "4 T 8", "4 T 8", "4 T 8", "T T bool", is_causal=True),
            (0,),
            [
                "mask = d & torch.ones(a.size(-2), b.size(-2), dtype=torch.bool, device=a.device).tril()",
                "x = F.scaled_dot_product_attention(a, b, c, attn_mask=mask)",
            ],
        ),
        (
            several(MHA, "N T 8", None, None, None, None, num_heads=2),
            (0,),
            ["x, _ = self.op(a, a, a, need_weights=False)"],
        ),
        (several(MHA, "N T 8", "N S 8", None, None, None, num_heads=2), (0, 1), ["x, y = self.op(a, b, b)"]),
        (
            several(MHA, "N T 8", None, None, None, None, num_heads=2, is_causal=True),
            (0,),
            [
                "mask = torch.ones(a.size(1), a.size(1), dtype=torch.bool, device=a.device).triu(1)",
                "x, _ = self.op(a, a, a, attn_mask=mask, need_weights=False, is_causal=True)",
            ],
        ),
        (
            several("learned_positions", "N T 8", None, max_length=9),
            (0,),
            ["x = a + self.op(torch.arange(a.size(-2), device=a.device))"],
        ),
        (several("einsum", "N T", "T S", equation="nt,ts->ns"), (0,), ['x = torch.einsum("nt,ts->ns", a, b)']),
    ],
    ids=str,
)
def test_lines(case: OpCase, reads: tuple[int, ...], lines: list[str]) -> None:
    op, tensors = case.op(), case.tensors()
    count = len(op.outputs)
    assert lines_of(op, tensors, ["xy"[at] if at in reads else None for at in range(count)]) == lines


def test_constructors() -> None:
    case = several(MHA, "N T 8", "N S 5", "N S 7", None, None, num_heads=2, is_causal=True)
    made = constructor_text(case.op().module(*case.tensors()))
    assert made == "nn.MultiheadAttention(8, 2, batch_first=True, kdim=5, vdim=7)"
    made = constructor_text(several("learned_positions", max_length=9).op().module(Tensor((2, 3, 4))))
    assert made == "nn.Embedding(9, 4)"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (
            several(SDPA, "2 4 8", "2 5 7", "2 5 8", None),
            f"{SDPA} takes [N, H, L, E], [N, H, S, E] and [N, H, S, V], but got [2, 4, 8], [2, 5, 7] and [2, 5, 8]",
        ),
        (
            several(SDPA, "2 4 8", "2 5 8", "2 5 8", "3 4 5 bool"),
            f"{SDPA} takes equal shapes, or sizes of 1 to repeat, but got [2, 4, 5] and [3, 4, 5]",
        ),
        (
            several(SDPA, "2 6 4 8", "2 4 4 8", "2 4 4 8", None, enable_gqa=True),
            "6 heads of queries cannot be divided into 4 groups",
        ),
        (several(MHA, "2 4 8", None, None, None, None, num_heads=3), "8 cannot be divided into 3 heads"),
        (
            several(MHA, "2 4 8", "3 5 8", None, None, None, num_heads=2),
            f"{MHA} needs a key of [2, 5], but got [3, 5]",
        ),
        (
            several("learned_positions", "2 9 4", None, max_length=8),
            "learned_positions takes a length of at most 8, not 9",
        ),
        (
            several("einsum", "2 3", equation="i2->i"),
            "the equation must be letters for each input, `->` and letters for the output, not `i2->i`",
        ),
        (several("einsum", "2 3", equation="ij,jk->ik"), "`ij,jk->ik` is for 2 inputs, not 1"),
        (several("einsum", "2 3", "4 2", equation="ij,jk->ik"), "einsum needs one size for `j`, but got 3 and 4"),
        (several("einsum", "2 3", equation="ijk->i"), "`ijk` names 3 dimensions, but the input is [2, 3]"),
        (several("einsum", "2 3", equation="ij->k"), "`k` is not in any input of `ij->k`"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert str(found.value) == text
