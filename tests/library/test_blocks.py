"""The library's blocks against torch and torchvision: the same keys, the same numbers, and an ONNX file that agrees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from library.one_step import INPUTS, check_against, model, onnx_agrees, same, values
from torch import Tensor, nn
from zoo.vision import randomised, torchvision
from zoo.yolo import C2f, Conv, Sppf

import netspec


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize(("activation", "bias"), [("relu", True), ("gelu", False)])
def test_transformer_layers_are_torch_s(norm_first: bool, activation: str, bias: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"activation": activation, "bias": bias, "norm_first": norm_first, "dropout": 0.1}
    written = f"nhead: 2, dim_feedforward: 12, activation: {activation}, norm_first: {norm_first}, bias: {bias}".lower()
    encoder = randomised(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, **options)).eval()
    ours = model(tmp_path, f"transformer_encoder_layer: {{{written}, src_key_padding_mask: padding}}", "x", "padding")
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(encoder.state_dict(), strict=True)
    with torch.enable_grad():  # torch's fast path, which gives 0 for what is padded, is for inference only
        same(module, encoder_without_fast_path(encoder), ("x", "padding"))
        same(module, encoder_without_fast_path(encoder), ("x", "padding"), drop=1)
    onnx_agrees(ours, module, tmp_path)

    decoder = randomised(nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, **options)).eval()
    masks = "tgt_key_padding_mask: padding, memory_key_padding_mask: source_padding"
    inputs = ("x", "y", "padding", "source_padding")
    ours = model(tmp_path, f"transformer_decoder_layer: {{memory: y, {written}, {masks}}}", *inputs)
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(decoder.state_dict(), strict=True)

    def theirs(x: Tensor, y: Tensor, padding: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        made: Tensor = decoder(x, y, ahead, tgt_key_padding_mask=padding, memory_key_padding_mask=source)
        return made

    for drop in (0, 1, 2):
        same(module, theirs, inputs, drop)
    onnx_agrees(ours, module, tmp_path)


def encoder_without_fast_path(encoder: nn.Module) -> Callable[..., Tensor]:
    def run(x: Tensor, padding: Tensor | None = None) -> Tensor:
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            made: Tensor = encoder(x, src_key_padding_mask=padding)
        finally:
            torch.backends.mha.set_fastpath_enabled(True)
        return made

    return run


def test_a_decoder_layer_that_is_not_causal(tmp_path: Path) -> None:
    decoder = randomised(nn.TransformerDecoderLayer(8, 4, batch_first=True)).eval()
    ours = model(tmp_path, "transformer_decoder_layer: {memory: y, nhead: 4, tgt_is_causal: false}", "x", "y")
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(decoder.state_dict(), strict=True)
    same(module, decoder, ("x", "y"))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("projection", ["linear", "transposed_linear"])
def test_self_attention_is_torch_s_multihead_attention(causal: bool, projection: str, tmp_path: Path) -> None:
    theirs = randomised(nn.MultiheadAttention(8, 4, batch_first=True)).eval()
    step = f"self_attention: {{num_heads: 4, causal: {str(causal).lower()}, projection: {projection}, mask: seen}}"
    ours = model(tmp_path, step, "x", "seen")
    module = ours.module().eval()
    turn = (lambda weight: weight.T) if projection == "transposed_linear" else (lambda weight: weight)
    state = {
        "c_attn.weight": turn(theirs.in_proj_weight), "c_attn.bias": theirs.in_proj_bias,
        "c_proj.weight": turn(theirs.out_proj.weight), "c_proj.bias": theirs.out_proj.bias,
    }  # fmt: skip
    module.get_submodule("it").load_state_dict(state, strict=True)

    def run(x: Tensor, seen: Tensor | None = None) -> Tensor:
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
        made: Tensor = theirs(x, x, x, None if seen is None else ~seen, attn_mask=ahead)[0]
        return made

    same(module, run, ("x", "seen"))
    same(module, run, ("x", "seen"), drop=1)
    onnx_agrees(ours, module, tmp_path)


def test_cross_attention_is_torch_s_multihead_attention(tmp_path: Path) -> None:
    theirs = randomised(nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=6)).eval()
    ours = model(tmp_path, "cross_attention: {num_heads: 2, key: z, mask: shown}", "x", "z", "shown")
    module = ours.module().eval()
    state = {f"{each}_proj.weight": getattr(theirs, f"{each}_proj_weight") for each in "qkv"}
    state |= {f"{each}_proj.bias": bias for each, bias in zip("qkv", theirs.in_proj_bias.chunk(3))}
    state |= {f"out_proj.{name}": value for name, value in theirs.out_proj.state_dict().items()}
    module.get_submodule("it").load_state_dict(state, strict=True)

    def run(x: Tensor, z: Tensor, shown: Tensor | None = None) -> Tensor:
        made: Tensor = theirs(x, z, z, None if shown is None else ~shown)[0]
        return made

    same(module, run, ("x", "z", "shown"))
    same(module, run, ("x", "z", "shown"), drop=1)
    onnx_agrees(ours, module, tmp_path)


class Additive(nn.Module):
    """As Dive into Deep Learning writes it, for one query."""

    def __init__(self) -> None:
        super().__init__()
        self.W_k, self.W_q = nn.Linear(6, 5, bias=False), nn.Linear(8, 5, bias=False)
        self.w_v = nn.Linear(5, 1, bias=False)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, shown: Tensor | None = None) -> Tensor:
        scores = self.w_v(torch.tanh(self.W_q(query)[:, None] + self.W_k(key)))[..., 0]
        if shown is not None:
            scores = torch.where(shown, scores, -torch.inf)
        return (scores.softmax(1)[..., None] * value).sum(1)


def test_additive_attention_is_bahdanau_s(tmp_path: Path) -> None:
    theirs = randomised(Additive()).eval()
    ours = model(tmp_path, "additive_attention: {hidden: 5, key: z, value: y, mask: shown}", "q", "z", "y", "shown")
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(theirs.state_dict(), strict=True)
    same(module, theirs, ("q", "z", "y", "shown"))
    same(module, theirs, ("q", "z", "y", "shown"), drop=1)
    onnx_agrees(ours, module, tmp_path)


@pytest.mark.parametrize("scaled", ["true", "false"])
def test_dot_attention_is_torch_s_of_one_query(scaled: str, tmp_path: Path) -> None:
    step = f"dot_attention: {{scaled: {scaled}, key: y, value: z, mask: shown}}"
    ours = model(tmp_path, step, "q", "y", "z", "shown")
    module = ours.module().eval()

    def run(query: Tensor, key: Tensor, value: Tensor, shown: Tensor | None = None) -> Tensor:
        mask = None if shown is None else shown[:, None]
        scale = None if scaled == "true" else 1.0
        return F.scaled_dot_product_attention(query[:, None], key, value, mask, scale=scale)[:, 0]

    same(module, run, ("q", "y", "z", "shown"))
    same(module, run, ("q", "y", "z", "shown"), drop=1)
    onnx_agrees(ours, module, tmp_path)


def test_weights_are_an_output_too(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"netspec: 1\nname: net\ninputs: {{q: {INPUTS['q']}, y: {INPUTS['y']}, shown: {INPUTS['shown']}}}\n"
        "network:\n  - additive_attention: {name: it, hidden: 4, key: y, value: y, mask: shown}\n"
        "outputs: {context: it, weights: it.weights}\n"
    )
    made = netspec.load(path).module().eval()(*values(("q", "y", "shown"), (3, 1, 6)))
    torch.testing.assert_close(made["weights"].sum(1), torch.ones(3))
    assert not made["weights"][~values(("q", "y", "shown"), (3, 1, 6))[2]].any()


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        (
            "feed_forward: {hidden: 12, activation: gelu, dropout: 0.1}",
            lambda ops: ops.MLP(8, [12, 8], activation_layer=nn.GELU, inplace=None),
        ),
        ("feed_forward: {hidden: 3, out_features: 5, bias: false}", lambda ops: ops.MLP(8, [3, 5], bias=False)),
    ],
)
def test_feed_forward_is_torchvision_s(step: str, theirs: Callable[[Any], nn.Module], tmp_path: Path) -> None:
    check_against(randomised(theirs(torchvision.ops)), step, "x", tmp_path)


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        ("squeeze_excite: {squeeze_channels: 3}", lambda ops, mobilenet: ops.SqueezeExcitation(8, 3)),
        (
            "squeeze_excite: {squeeze_channels: 2, activation: silu, scale_activation: hardsigmoid}",
            lambda ops, mobilenet: ops.SqueezeExcitation(8, 2, nn.SiLU, nn.Hardsigmoid),
        ),
        (
            "conv_norm_activation: {out_channels: 5, activation: silu}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 5, activation_layer=nn.SiLU),
        ),
        (
            "conv_norm_activation: {out_channels: 6, kernel_size: 5, stride: 2, groups: 2, dilation: 2}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 6, 5, 2, groups=2, dilation=2),
        ),
        (
            "conv_norm_activation: {out_channels: 6, kernel_size: [1, 5], stride: [1, 2], dilation: [1, 2]}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 6, (1, 5), (1, 2), dilation=(1, 2)),
        ),
        (
            "conv_norm_activation: {out_channels: 6, padding: [2, 1]}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 6, padding=(2, 1)),
        ),
        (
            "conv_norm_activation: {out_channels: 6, kernel_size: 1, activation: identity, bias: true}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 6, 1, activation_layer=None, bias=True),
        ),
        ("inverted_residual: {out_channels: 8}", lambda ops, mobilenet: mobilenet.InvertedResidual(8, 8, 1, 6)),
        (
            "inverted_residual: {out_channels: 4, stride: 2, expand_ratio: 1}",
            lambda ops, mobilenet: mobilenet.InvertedResidual(8, 4, 2, 1),
        ),
        (
            "conv_norm_activation: {out_channels: 4, eps: 0.1}",
            lambda ops, mobilenet: ops.Conv2dNormActivation(8, 4, norm_layer=partial(nn.BatchNorm2d, eps=0.1)),
        ),
        (
            "inverted_residual: {out_channels: 6, eps: 0.1}",
            lambda ops, mobilenet: mobilenet.InvertedResidual(8, 6, 1, 6, partial(nn.BatchNorm2d, eps=0.1)),
        ),
        ("mbconv: {out_channels: 8}", lambda *_: mbconv(4, 3, 1, 8)),
        ("mbconv: {out_channels: 16, expanded_channels: 8, kernel_size: 5, stride: 2}", lambda *_: mbconv(1, 5, 2, 16)),
        ("mbconv: {out_channels: 8, expanded_channels: 48, eps: 0.1}", lambda *_: mbconv(6, 3, 1, 8, eps=0.1)),
        ("fused_mbconv: {out_channels: 8}", lambda *_: mbconv(4, 3, 1, 8, fused=True)),
        ("aspp: {out_channels: 6, rates: [1, 3]}", lambda *_: aspp()),
        ("convnext_block: {layer_scale: 0.5}", lambda *_: convnext_block()),
        (
            "fused_mbconv: {out_channels: 6, expanded_channels: 8, kernel_size: 5, stride: 2, eps: 0.1}",
            lambda *_: mbconv(1, 5, 2, 6, fused=True, eps=0.1),
        ),
    ],
)
def test_convolutional_blocks_are_torchvision_s(
    step: str, theirs: Callable[[Any, Any], nn.Module], tmp_path: Path
) -> None:
    check_against(randomised(theirs(torchvision.ops, torchvision.models.mobilenetv2)), step, "image", tmp_path)


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        ("conv_bn_silu: {out_channels: 5, kernel_size: 5, stride: 2}", lambda: Conv(8, 5, 5, 2)),
        ("conv_bn_silu: {out_channels: 5, kernel_size: [1, 7], stride: [2, 1]}", lambda: Conv(8, 5, (1, 7), (2, 1))),
        ("c2f: {out_channels: 6}", lambda: C2f(8, 6, 1)),
        ("c2f: {out_channels: 9, depth: 3, shortcut: true}", lambda: C2f(8, 9, 3, shortcut=True)),
        ("sppf: {out_channels: 5, kernel_size: 3}", lambda: Sppf(8, 5, 3)),
    ],
)
def test_blocks_of_yolo_are_those_written_by_hand(step: str, theirs: Callable[[], nn.Module], tmp_path: Path) -> None:
    check_against(randomised(theirs()), step, "image", tmp_path)


def mbconv(ratio: int, kernel: int, stride: int, out: int, fused: bool = False, eps: float = 1e-5) -> nn.Module:
    """An EfficientNet's block for 8 channels."""
    home = torchvision.models.efficientnet
    named = "FusedMBConv" if fused else "MBConv"
    setting = getattr(home, f"{named}Config")(ratio, kernel, stride, 8, out, 1)
    made: nn.Module = getattr(home, named)(setting, 0.1, partial(nn.BatchNorm2d, eps=eps))
    return made


def aspp() -> nn.Module:
    made: nn.Module = torchvision.models.segmentation.deeplabv3.ASPP(8, [1, 3], 6)
    return made


def convnext_block() -> nn.Module:
    made: nn.Module = torchvision.models.convnext.CNBlock(8, 0.5, 0.1)
    return made
