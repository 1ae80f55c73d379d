"""A call or two of every op, for tests that put each of them into networks.

Of a sample ``inputs`` are shapes; a dtype behind one is fixed (``N 4 bool``), with a bound on whole numbers
(``N 4 int64<5``), the others share whichever dtype the test asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import vision_operators  # noqa: F401  # torchvision's operators, where it was built for another torch


@dataclass(frozen=True)
class Sample:
    """An op, its arguments, and the shapes of its inputs by port, in the order of the ports."""

    op: str
    inputs: tuple[str, ...]
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.op}({self.arguments})-{'-'.join(self.inputs)}"

    def spec(self, dtype: str) -> dict[str, Any]:
        """A network of the op alone, on inputs of this dtype; ``bfloat16`` is that of the op, not of the network."""
        inner = dtype == "bfloat16"
        dtype = "float32" if inner else dtype
        inputs: dict[str, Any] = {}
        for letter, text in zip("abcdef", self.inputs):
            *sizes, last = text.split()
            fixed = last[:1] in ("b", "i", "f")
            given, _, below = last.partition("<") if fixed else (dtype, "", "")
            words = sizes if fixed else [*sizes, last]
            shape = [int(word) if word.isdigit() else word for word in words if word != "()"]
            inputs[letter] = {"shape": shape, "dtype": given}
            if below:
                inputs[letter]["below"] = int(below)
        cast: list[Any] = []
        reads = list(inputs)
        if inner:
            floats = [name for name, given in inputs.items() if given["dtype"] == "float32"]
            cast = [{"cast": {"name": f"{name}_in", "dtype": "bfloat16", "from": name}} for name in floats]
            reads = [f"{name}_in" if name in floats else name for name in inputs]
        step = {**self.arguments, "from": reads} if self.inputs else self.arguments
        if not inputs:
            inputs = {"unread": ["N", 4]}
        network = [*cast, {self.op: step}, *([{"cast": "float32"}] if inner else [])]
        return {"netspec": 1, "name": "sample", "inputs": inputs, "network": network}


def sample(op: str, *inputs: str, **arguments: Any) -> Sample:
    return Sample(op, inputs, arguments)


IMAGES = {1: "N 4 L", 2: "N 4 H 9", 3: "N 4 D 5 6"}
LAYERS = [
    *(sample(f"lp_pool{rank}d", image, norm_type=2, kernel_size=2) for rank, image in IMAGES.items()),
    *(sample(f"max_unpool{rank}d", f"{image}", f"{image} int64", kernel_size=2) for rank, image in IMAGES.items()),
    sample("unfold", "N 4 H 9", kernel_size=2, padding=1),
    sample("fold", "N 12 6", output_size=[3, 4], kernel_size=2),
    sample("grid_sample", "N 4 H 9", "N 3 L 2"),
    sample("affine_grid", "N 2 3", size=[3, 4]),
    sample("frozen_batch_norm2d", "N 4 H 9"),
    sample("roi_align", "N 4 H 9", "N 3 4", output_size=2),
    sample("roi_pool", "N 4 H 9", "N 3 4", output_size=2),
    sample("nms", "N 5 4", "N 5", iou_threshold=0.5, max_output=3),
    sample("deform_conv2d", "N 4 H 9", "N 18 H 9", out_channels=2, kernel_size=3, padding=1),
    sample("channel_shuffle", "N 4 H 9", groups=2),
    sample("alibi", "N T 4", num_heads=3),
    sample("relative_position_buckets", "N T 4"),
    sample("relative_position_index", "N T 4", window_size=[2, 3]),
    sample("bilinear", "N 4", "N 5", out_features=3),
    sample("embedding_bag", "N 4 int64<5", num_embeddings=5, embedding_dim=3),
    sample("rfft", "N T 4", dim=1),
    sample("irfft", "N 5 2"),
    sample("fft", "N T 2"),
    sample("ifft", "N T 2"),
    sample("rfft2", "N 3 T 4", dim=[1, 3]),
    sample("irfft2", "N 3 5 2"),
    sample("fft2", "N T 4 2"),
    sample("ifft2", "N 4 3 2", dim=[2, 1]),
    sample("stft", "N 40", n_fft=8, window="hann"),
    sample("istft", "N 5 T 2", n_fft=8, window="hann"),
]
ELEMENTWISE = """acos acosh asin asinh atan atanh ceil cosh erf exp2 expm1 floor frac isfinite isinf isnan log10 log1p
log2 logit nan_to_num round rsqrt sign sinc sinh square tan trunc""".split()  # noqa: SIM905
PAIRED = "atan2 floor_divide fmod hypot logaddexp remainder xlogy cosine_similarity pairwise_distance".split()  # noqa: SIM905
REDUCING = "all any count_nonzero logsumexp norm std var median".split()  # noqa: SIM905
CUMULATIVE = "cummax cummin cumprod logcumsumexp".split()  # noqa: SIM905
TENSORS = [
    *(sample(name, "N T 4") for name in ELEMENTWISE),
    *(sample(name, "N 4", "N 4") for name in PAIRED),
    *(sample(name, "N T 4", dim=1) for name in REDUCING),
    *(sample(name, "N 5", dim=1) for name in CUMULATIVE),
    *(sample(f"bitwise_{name}", "N 4 int64", "4 int64") for name in ("and", "or", "xor")),
    sample("bitwise_not", "N 4 int64"),
    sample("logical_xor", "N 4", "N 4"),
    sample("lerp", "N 4", "N 4", weight=0.3),
    sample("normalize", "N T 4"),
    sample("cdist", "N 3 4", "N 5 4"),
    *(sample(name, "N 3 3") for name in ("det", "inverse")),
    sample("diag_embed", "N 4"),
    sample("diagonal", "N 4 5", dim1=1, dim2=2),
    sample("eye", "N 4", n=3),
    sample("full", "N 4", size=[2, 4], fill_value=1.5),
    sample("linspace", "N 4", start=0.0, end=1.0, steps=5),
    *(sample(name, "N 5") for name in ("sort", "argsort")),
    sample("topk", "N 5", k=2),
    sample("kthvalue", "N 5", k=2),
    sample("searchsorted", "5 int64", "N 3 int64"),
    sample("searchsorted", "5", "N 3"),
    sample("take", "N 5", "3 int64<5", dim=1),
    sample("scatter", "N 5", "N 2 int64<5", "N 2", dim=1),
    sample("masked_scatter", "N 4", "N 4 bool", "N 4"),
    sample("roll", "N 5", shifts=[2], dims=[1]),
    sample("roll", "N 5", shifts=2),
    sample("tile", "N 4", dims=[1, 3]),
    sample("repeat_interleave", "N 4", repeats=2, dim=1),
    sample("unbind", "N 4", dim=1),
    sample("sliding_windows", "N 9", dimension=1, size=3, step=2),
    sample("meshgrid", "N", "4"),
]
SPATIAL = [
    each
    for rank, image in IMAGES.items()
    for each in (
        sample(f"conv{rank}d", image, out_channels=4, kernel_size=3, padding=1, groups=4),
        sample(f"conv{rank}d", image, out_channels=2, kernel_size=1, bias=False),
        sample(f"conv_transpose{rank}d", image, out_channels=2, kernel_size=2, stride=2),
        sample(f"max_pool{rank}d", image, kernel_size=2),
        sample(f"max_pool{rank}d", image, kernel_size=3, stride=2, padding=1, ceil_mode=True),
        sample(f"avg_pool{rank}d", image, kernel_size=2),
        sample(f"avg_pool{rank}d", image, kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        sample(f"adaptive_avg_pool{rank}d", image, output_size=3),
        sample(f"adaptive_avg_pool{rank}d", image, output_size=1),
        sample(f"adaptive_max_pool{rank}d", image, output_size=2),
        sample(f"batch_norm{rank}d", image),
        sample(f"batch_norm{rank}d", image, affine=False),
        sample(f"instance_norm{rank}d", image),
        sample(f"instance_norm{rank}d", image, affine=True),
        sample(f"dropout{rank}d", image),
    )
]
PLAIN = """relu relu6 leaky_relu rrelu elu celu selu gelu silu mish hardswish hardsigmoid hardtanh hardshrink softshrink
tanhshrink softplus softsign sigmoid log_sigmoid tanh glu dropout alpha_dropout identity flatten exp sin cos neg abs
reciprocal prelu layer_norm rms_norm""".split()  # noqa: SIM905
COMPARED = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
SAMPLES = [
    *SPATIAL,
    *LAYERS,
    *TENSORS,
    *(sample(name, "N T 4") for name in PLAIN),
    *(sample(name, IMAGES[2]) for name in ("global_avg_pool", "global_max_pool", "softmax2d", "feature_alpha_dropout")),
    *(sample(name, "N T 4", dim=-1) for name in ("softmax", "log_softmax", "softmin", "masked_softmax")),
    sample("masked_softmax", "N T 4", "N T 4 bool"),
    sample("stochastic_depth", IMAGES[2]),
    sample("stochastic_depth", "N 4", mode="batch"),
    sample("noise", "N 4"),
    sample("noise", "N 4", distribution="bernoulli", p=0.3),
    sample("gumbel_softmax", "N T 4", dim=1),
    sample("local_response_norm", IMAGES[2], size=3),
    sample("layer_norm", "N T 4", elementwise_affine=False),
    sample("rms_norm", "N T 4", elementwise_affine=False),
    sample("group_norm", IMAGES[2], num_groups=2),
    sample("group_norm", IMAGES[2], num_groups=4, affine=False),
    sample("gelu", "N 4", approximate="tanh"),
    sample("linear", "N T 4", out_features=3),
    sample("linear", "4", out_features=1, bias=False),
    sample("affine", "N 4", "4 3", "3"),
    sample("filter1d", "N 4 8", "6 2 3", "6", padding=1, groups=2),
    sample("filter2d", "N 4 8 8", "6 4 3 3", stride=2),
    sample("filter3d", "N 4 4 4 4", "6 4 1 3 3", dilation=[1, 1, 2]),
    sample("matmul", "N T 4", "4 3"),
    sample("threshold", "N 4", threshold=0.1, value=2.0),
    sample("unflatten", "N 12", dim=1, unflattened_size=[3, 4]),
    sample("reshape", "N 12", shape=[-1, 6]),
    sample("permute", "N T 4", dims=[2, 0, 1]),
    sample("transpose", "N T 4", dim0=0, dim1=2),
    sample("squeeze", "N 1 4", dim=1),
    sample("unsqueeze", "()", dim=0),
    sample("unsqueeze", "N 4", dim=-1),
    *(sample(name, "N 4", "N 4", dim=dim) for name in ("concat", "stack") for dim in (0, 1)),
    sample("coalesce", "N 4", "N 4"),
    *(sample(name, "N 1 4", "T 1") for name in ("add", "subtract", "multiply", "divide", "mean", "maximum", "minimum")),
    *(sample(name, "N", "N", "N") for name in ("add", "subtract", "multiply", "mean", "maximum", "minimum")),
    sample("pad", "N 4", pad=[1, 2]),
    sample("pad", "N 4", pad=[1, -2], value=1.5),
    *(sample("pad", IMAGES[2], pad=[1, 1, 2, 0], mode=mode) for mode in ("reflect", "replicate", "circular")),
    sample("pixel_shuffle", "N 8 H 3", upscale_factor=2),
    sample("pixel_unshuffle", "N 2 4 6", downscale_factor=2),
    *(sample("upsample", IMAGES[2], scale_factor=factor) for factor in (1.0, 2.0, 1.5)),
    *(sample("upsample", IMAGES[2], size=[5, 9], mode=mode) for mode in ("nearest", "nearest-exact")),
    sample("upsample", IMAGES[1], size=7, mode="linear"),
    *(sample("upsample", IMAGES[2], scale_factor=2.0, mode=mode) for mode in ("bilinear", "bicubic")),
    sample("upsample", "N 2 3 4 5", scale_factor=[1.0, 2.0, 1.5], mode="trilinear"),
    *(sample("scale", "N 4", factor=factor) for factor in (0.5, 2.0)),
    sample("shift", "N 4", amount=-2.0),
    sample("sqrt", "N 4"),
    sample("log", "N 4"),
    sample("pow", "N 4", exponent=2.0),
    sample("clamp", "N 4", min=-0.5, max=0.5),
    sample("clamp", "()", max=0.5),
    *(
        sample("cast", "N 4", dtype=to)
        for to in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")
    ),
    *(sample(name, "N 4", "4") for name in COMPARED),
    *(sample(name, "N 4", value=1) for name in COMPARED),
    sample("logical_and", "N 4", "N 4"),
    sample("logical_or", "N 4", "4"),
    sample("logical_not", "N 4"),
    sample("where", "N 4 bool", "N 4", "N 4"),
    sample("masked_fill", "N 4", "N 4 bool", value=1),
    *(sample(name, "N 4 5", diagonal=1) for name in ("tril", "triu")),
    *(sample(f"reduce_{name}", "N T 4", dim=1) for name in ("sum", "mean", "max", "min", "prod")),
    *(sample(f"reduce_{name}", "N 4", dim=None) for name in ("sum", "mean", "max", "min")),
    sample("argmax", "N 4", dim=1),
    sample("argmin", "N 4", dim=0, keepdim=True),
    sample("cumsum", "N 4", dim=1),
    sample("embedding", "N T int64<6", num_embeddings=6, embedding_dim=3),
    sample("embedding", "N int32<6", num_embeddings=6, embedding_dim=3, padding_idx=0),
    sample("one_hot", "N int64<5", num_classes=5),
    sample("gather", "N 4", "N 2 int64<4", dim=1),
    sample("select", "N 4", dim=1, index=2),
    sample("slice", "N 9", dim=1, start=1, step=3),
    sample("flip", "N 4", dims=[0, 1]),
    sample("split", "N 5", split_size_or_sections=2, dim=1),
    sample("split", "N 4", split_size_or_sections=4, dim=1),
    sample("chunk", "N 6", chunks=3, dim=1),
    sample("chunk", "N 4", chunks=1, dim=1),
    sample("parameter", shape=[4]),
    sample("buffer", shape=[4], dtype="int64"),
    sample("buffer", value=[1, 0, 1], persistent=False),
    sample("buffer", value=[1, 0, 1], shape=[2, 3], persistent=False),
    sample("parameter", value=[0.5, 2.0], shape=[3, 2]),
    *(sample("constant", value=[1, 0, 1], dtype=to) for to in ("float32", "float16", "int32", "bool")),
    sample("arange", "N 4", end=4),
    *(sample(name, "N 4", size=[2, 4]) for name in ("zeros", "ones")),
    sample("zeros", "N 4", size=[2, 4], dtype="int64"),
    sample("expand", "1 4", shape=[3, -1]),
    *(
        sample(name, "N T 4", hidden_size=3, bidirectional=both)
        for name in ("rnn", "gru", "lstm")
        for both in (0 > 1, 1 > 0)
    ),
    *(sample(name, "N 4", "N 3", hidden_size=3) for name in ("rnn_cell", "gru_cell")),
    sample("lstm_cell", "N 4", "N 3", "N 3", hidden_size=3),
    sample("scaled_dot_product_attention", "N 2 T 4", "N 2 T 4", "N 2 T 4"),
    sample("scaled_dot_product_attention", "N 2 T 4", "N 2 T 4", "N 2 T 4", is_causal=True),
    sample("multihead_attention", "N T 4", num_heads=2),
    sample("causal_mask", "N T 4"),
    sample("learned_positions", "N T 4", max_length=99),
    sample("sinusoidal_positions", "N T 4"),
    sample("rotary_embedding", "N 2 T 4"),
    sample("einsum", "N 4", "4 3", equation="ni,io->no"),
]
"""At least one of every op."""
