"""Recurrent layers and attention, whose sequences ONNX has in another layout than torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netspec.dims import exact_div
from netspec.importer.capture.onnx.rewrites.rewriting import Rewriting
from netspec.ops.core.foreign import ForeignCall


def recurrent(node: Rewriting) -> Iterator[ForeignCall]:
    """The layer as torch has it, with output [T, N, directions · H], and that as ONNX has it, [T, directions, N, H].

    Where the input is a batch turned to have time first, so is the output.
    """
    x, weights, size = node.given["X"], node.given["W"], node.given["hidden_size"]
    time, batch = x.shape[:2]
    ways = weights.shape[0]
    whole, *states = (*node.call.outputs, None, None, None)[: 3 if node.call.name == "LSTM" else 2]
    turned, made, output = node.made(), node.made(), node.made()
    yield ForeignCall("transpose", {"self": x, "dim0": 0, "dim1": 1}, (turned,))
    arguments = {**node.given, "X": turned, "batch_first": 1}
    yield ForeignCall(node.call.name, arguments, (made, *states))
    if whole is None:
        return
    yield ForeignCall("transpose", {"self": made, "dim0": 0, "dim1": 1}, (output,))
    if ways == 1:
        yield ForeignCall("unsqueeze", {"self": output, "dim": 1}, (whole,))
        return
    split = node.made()
    split.shape = (time, batch, ways, size)
    yield ForeignCall("view", {"self": output, "size": list(split.shape)}, (split,))
    yield ForeignCall("transpose", {"self": split, "dim0": 1, "dim1": 2}, (whole,))


def attention(node: Rewriting) -> Iterator[ForeignCall]:
    """Scaled dot-product attention of four dimensions; one of three has its heads beside each other."""
    query, key, value = (node.given[name] for name in "QKV")
    more = {"past_key", "past_value", "softcap", "qk_matmul_output_mode"} & node.given.keys()
    if more or len(query.shape) not in (3, 4) or any(output is not None for output in node.call.outputs[1:]):
        yield node.call
        return
    parts: list[Any] = [query, key, value]
    if len(query.shape) == 3:
        counts = node.given["q_num_heads"], node.given["kv_num_heads"], node.given["kv_num_heads"]
        for at, (part, count) in enumerate(zip(tuple(parts), counts)):
            split, parts[at] = node.made(), node.made()
            split.shape = (*part.shape[:2], count, exact_div(part.shape[2], count))
            yield ForeignCall("view", {"self": part, "size": list(split.shape)}, (split,))
            yield ForeignCall("transpose", {"self": split, "dim0": 1, "dim1": 2}, (parts[at],))
    said: dict[str, Any] = dict(zip(("query", "key", "value"), parts))
    said |= {"attn_mask": node.given["attn_mask"]} if "attn_mask" in node.given else {}
    said |= {"scale": node.given["scale"]} if node.given.get("scale", 0.0) else {}
    said |= {"is_causal": True} if node.given.get("is_causal", 0) else {}
    heads = [part.shape[1] for part in (query, key)] if len(query.shape) == 4 else counts[:2]
    said |= {"enable_gqa": True} if heads[0] != heads[1] else {}
    if len(query.shape) == 4:
        yield node.last("scaled_dot_product_attention", **said)
        return
    made, turned = node.made(), node.made()
    yield ForeignCall("scaled_dot_product_attention", said, (made,))
    yield ForeignCall("transpose", {"self": made, "dim0": 1, "dim1": 2}, (turned,))
    width = exact_div(value.shape[2], counts[1]) * counts[0]
    yield node.viewed(turned, (*query.shape[:2], width))
