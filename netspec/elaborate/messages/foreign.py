"""The names of layers, losses and optimizers in other tools, with what there is here instead.

A name that means something elsewhere is answered by its meaning, never by a word that is spelled alike: who writes
`topk` does not mean `tanh`. Names are compared without case and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from netspec.diagnostics import clipped, typo_of

if TYPE_CHECKING:
    from netspec.recipes import Kind

OPS = {
    "addmm": "linear",
    "attention": "dot_attention",
    "average": "mean",
    "averagepool": "avg_pool2d",
    "averagepooling1d": "avg_pool1d",
    "averagepooling2d": "avg_pool2d",
    "averagepooling3d": "avg_pool3d",
    "avg": "mean",
    "avgpool": "avg_pool2d",
    "baddbmm": "matmul",
    "batchnorm": "batch_norm2d",
    "batchnormalization": "batch_norm2d",
    "bmm": "matmul",
    "bn": "batch_norm2d",
    "cat": "concat",
    "clip": "clamp",
    "concatenate": "concat",
    "constantofshape": "constant",
    "constantpad1d": "pad",
    "constantpad2d": "pad",
    "constantpad3d": "pad",
    "circularpad1d": "pad",
    "circularpad2d": "pad",
    "circularpad3d": "pad",
    "conv": "conv2d",
    "conv1dtranspose": "conv_transpose1d",
    "conv2dtranspose": "conv_transpose2d",
    "conv3dtranspose": "conv_transpose3d",
    "convolution2d": "conv2d",
    "convtranspose": "conv_transpose2d",
    "deconv": "conv_transpose2d",
    "dense": "linear",
    "div": "divide",
    "dot": "matmul",
    "eq": "equal",
    "fc": "linear",
    "fullyconnected": "linear",
    "ge": "greater_equal",
    "gemm": "linear",
    "globalaveragepool": "global_avg_pool",
    "globalaveragepooling1d": "global_avg_pool",
    "globalaveragepooling2d": "global_avg_pool",
    "globalaveragepooling3d": "global_avg_pool",
    "globalavgpool2d": "global_avg_pool",
    "globalmaxpooling1d": "global_max_pool",
    "globalmaxpooling2d": "global_max_pool",
    "globalmaxpooling3d": "global_max_pool",
    "groupnormalization": "group_norm",
    "gt": "greater",
    "indexselect": "take",
    "instancenorm": "instance_norm2d",
    "instancenormalization": "instance_norm2d",
    "interpolate": "upsample",
    "repeatelements": "repeat_interleave",
    "xor": "logical_xor",
    "bucketize": "searchsorted",
    "indexadd": "scatter",
    "scatteradd": "scatter",
    "scatterelements": "scatter",
    "reducel1": "norm",
    "reducel2": "norm",
    "mod": "remainder",
    "gatherelements": "gather",
    "layernormalization": "layer_norm",
    "le": "less_equal",
    "lrn": "local_response_norm",
    "crossmaplrn2d": "local_response_norm",
    "lt": "less",
    "max": "maximum",
    "maxpool": "max_pool2d",
    "maxpooling1d": "max_pool1d",
    "maxpooling2d": "max_pool2d",
    "maxpooling3d": "max_pool3d",
    "min": "minimum",
    "mm": "matmul",
    "mul": "multiply",
    "mv": "matmul",
    "narrow": "slice",
    "ne": "not_equal",
    "not": "logical_not",
    "or": "logical_or",
    "and": "logical_and",
    "prod": "reduce_prod",
    "range": "arange",
    "reducelogsum": "reduce_sum",
    "reflectionpad1d": "pad",
    "reflectionpad2d": "pad",
    "reflectionpad3d": "pad",
    "replicationpad1d": "pad",
    "replicationpad2d": "pad",
    "replicationpad3d": "pad",
    "zeropad1d": "pad",
    "zeropad2d": "pad",
    "zeropad3d": "pad",
    "zeropadding1d": "pad",
    "zeropadding2d": "pad",
    "zeropadding3d": "pad",
    "resize": "upsample",
    "resizing": "upsample",
    "simplernn": "rnn",
    "spatialdropout1d": "dropout1d",
    "spatialdropout2d": "dropout2d",
    "spatialdropout3d": "dropout3d",
    "sub": "subtract",
    "sum": "add",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "swish": "silu",
    "trilu": "tril",
    "truediv": "divide",
    "upsampling1d": "upsample",
    "upsampling2d": "upsample",
    "upsampling3d": "upsample",
    "upsamplingbilinear2d": "upsample",
    "upsamplingnearest2d": "upsample",
    "upsamplebilinear": "upsample",
    "upsamplenearest": "upsample",
    "view": "reshape",
    "movedim": "permute",
    "multihead": "multihead_attention",
    "mha": "multihead_attention",
    "sdpa": "scaled_dot_product_attention",
    "scaleddotproduct": "scaled_dot_product_attention",
    "senet": "squeeze_excite",
    "se": "squeeze_excite",
    "seblock": "squeeze_excite",
    "mlp": "feed_forward",
    "loop": "scan",
    "modulelist": "sequential",
    "container": "sequential",
    "to": "cast",
    "type": "cast",
    "softmax1d": "softmax",
}
"""An op or structure by another name."""

FORMS = {
    "activation": "name the function itself: `relu`, `sigmoid`, `tanh`, …",
    "depthtospace": "write `pixel_shuffle`, whose channels are ordered as in ONNX's mode CRD",
    "spacetodepth": "write `pixel_unshuffle`, which puts the channels of each place side by side",
    "masking": "recurrent layers and attention take `lengths` or a mask as a port; `masked_fill` fills in a number",
    "bidirectional": "write `bidirectional: true` in the `lstm`, `gru` or `rnn`",
    "bottleneck": "write it as a block from `conv2d` and `residual`; `specs/resnet.yaml` has one",
    "contiguous": "leave it out: a spec says nothing about memory layout",
    "depthwiseconv2d": "write `conv2d` with `groups: shape[1]`",
    "dwconv": "write `conv2d` with `groups: shape[1]`",
    "separableconv2d": "write `conv2d` with `groups: shape[1]`, then another one with `kernel_size: 1`",
    "input": "inputs go at the top of the file: `inputs: {image: [N, 3, 224, 224]}`",
    "inputlayer": "inputs go at the top of the file: `inputs: {image: [N, 3, 224, 224]}`",
    "lambda": "a spec cannot contain code: write it with the ops that `netspec ops` lists",
    "module": "define it as a block, under `blocks`",
    "moduledict": "define it as a block, under `blocks`",
    "output": "outputs go at the end of the file: `outputs: {logits: head}`",
    "outer": "write `einsum: i,j->ij`",
    "rot90": "write `transpose` and `flip`",
    "trace": "write `diagonal` and `reduce_sum`",
    "tensordot": "write `einsum`, whose letters say what is summed over",
    "quantile": "write `sort`, two `select`s and `lerp`",
    "diag": "write `diagonal` of a matrix, `diag_embed` of a vector",
    "kron": "write `einsum: ij,kl->ikjl` and `reshape`",
    "bincount": "write `one_hot` and `reduce_sum`",
    "repeatvector": "write `unsqueeze` and `expand`",
    "rescaling": "write `scale` for a factor and `shift` for an amount",
    "syncbatchnorm": "write `batch_norm2d`: its statistics cover the rows of one process",
    "t": "write `transpose: {dim0: 0, dim1: 1}`",
    "timedistributed": "leave it out: `linear` works along the last dimension of any shape; for others write `scan`",
    "transformer": "build it from `transformer_encoder_layer` and `transformer_decoder_layer`",
    "transformerdecoder": "write `repeat` with `transformer_decoder_layer` inside",
    "transformerencoder": "write `repeat` with `transformer_encoder_layer` inside",
    "gaussiannoise": "write `noise: {when: training}` and `add`",
    "gaussiandropout": "write `noise: {mean: 1, std: 0.5, when: training}` and `multiply`",
    "rand": "write `noise: uniform`",
    "randlike": "write `noise: uniform`",
    "randn": "write `noise`",
    "randnlike": "write `noise`",
    "random": "write `noise: uniform`",
    "randomnormallike": "write `noise`",
    "randomuniformlike": "write `noise: uniform`",
    "zeroslike": "write `zeros`",
}
"""Names of what is written in another form here."""

_ABSENT = """
    adaptivelogsoftmaxwithloss c1 c2 c3 c3k2 bottleneckcsp categoryencoding classify conv1dlstm convlstm2d
    convtbc cropping2d dataparallel detect focus fractionalmaxpool2d fractionalmaxpool3d gathernd ghostconv
    groupedmm lpnormalization maskedselect nonzero numel pdist randint scaledmm scatternd segment spp unique
    unitnormalization parameterdict parameterlist shape
"""
ABSENT = frozenset(_ABSENT.split())
"""Names of what other tools have and netspec has not."""

LOSSES = {
    "bcewithlogitsloss": "binary_cross_entropy",
    "bcewithlogits": "binary_cross_entropy",
    "binarycrossentropywithlogits": "binary_cross_entropy",
    "binarycrossentropy": "binary_cross_entropy",
    "binarycrossentropyloss": "binary_cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "crossentropyloss": "cross_entropy",
    "huberloss": "huber",
    "kldivergence": "kl_div",
    "kldivloss": "kl_div",
    "l1loss": "l1",
    "mae": "l1",
    "maeloss": "l1",
    "meanabsoluteerror": "l1",
    "meansquarederror": "mse",
    "mseloss": "mse",
    "l2": "mse",
    "l2loss": "mse",
    "nllloss": "nll",
    "smoothl1": "huber",
    "smoothl1loss": "huber",
    "softmaxcrossentropy": "cross_entropy",
    "focalloss": "focal",
    "categoricalfocalcrossentropy": "focal",
    "sigmoidfocalloss": "binary_focal",
    "binaryfocalcrossentropy": "binary_focal",
    "diceloss": "dice",
    "marginrankingloss": "margin_ranking",
    "pairwisehingeloss": "margin_ranking",
    "pairwiselogisticloss": "rank_net",
    "contrastiveloss": "contrastive",
    "triplet": "triplet_margin",
    "tripletmarginloss": "triplet_margin",
    "sparsecategoricalcrossentropy": "cross_entropy",
}
SCHEDULES = {
    "cosineannealing": "cosine",
    "cosineannealinglr": "cosine",
    "cosinedecay": "cosine",
    "constantlr": "constant",
    "exponentialdecay": "exponential",
    "exponentiallr": "exponential",
    "linearlr": "linear",
    "lineardecay": "linear",
    "multisteplr": "multi_step",
    "noam": "inverse_sqrt",
    "onecyclelr": "one_cycle",
    "onecycle": "one_cycle",
    "piecewiseconstantdecay": "multi_step",
    "reducelronplateau": "plateau",
    "steplr": "step",
}
METRICS = {
    "acc": "accuracy",
    "auc": "auroc",
    "f1score": "f1",
    "meanabsoluteerror": "mae",
    "meansquarederror": "mse",
    "r2score": "r2",
    "rocauc": "auroc",
    "sparsecategoricalaccuracy": "accuracy",
    "binaryaccuracy": "accuracy",
    "categoricalaccuracy": "accuracy",
    "l1": "mae",
}
DATA = {"imagefolder": "images", "imagenet": "images"}
FETCHED = {
    **{name.lower(): (name, "`idx: FOLDER` reads its four files") for name in ("FashionMNIST", "KMNIST")},
    "cifar10": ("CIFAR10", "`cifar: FOLDER` reads its binary version"),
    "cifar100": ("CIFAR100", "`cifar: {path: FOLDER, classes: 100}` reads its binary version"),
}
"""Data sets that torchvision fetches, with what reads their files."""
TRANSFORMS = {
    "normalise": "normalize",
    "randomhorizontalflip": "horizontal_flip",
    "cutout": "random_erasing",
    "colourjitter": "color_jitter",
    "trivialaugmentwide": "trivial_augment",
    "grayscale": "channels",
    "standardscaler": "standardize",
}
INGREDIENTS: dict[Kind, dict[str, str]] = {
    "loss": LOSSES,
    "schedule": SCHEDULES,
    "metric": METRICS,
    "data": DATA,
    "transform": TRANSFORMS,
}
"""An ingredient of a recipe by another name."""

SAID = {
    "momentum": "`{sgd: {lr: 0.1, momentum: 0.9}}`",
    "nesterov": "`{sgd: {lr: 0.1, momentum: 0.9, nesterov: true}}`",
    "bceloss": "`binary_cross_entropy` takes scores before the sigmoid: remove a final `sigmoid`",
    "warmup": "it is an argument of any schedule: `{constant: {warmup: 100}}`",
    "topk": "`{accuracy: 5}` counts the right class among the five best",
    "top5": "`{accuracy: 5}` counts the right class among the five best",
    "rmse": "`mse` is its square",
    "totensor": "leave it out: images are tensors from 0 to 1",
}
"""Names of what is a special case of something here."""

_RECIPES_LACK = """
    adafactor adamax asgd ftrl lamb lars lion muon nadam radam rprop sparseadam cosineannealingwarmrestarts cycliclr
    lambdalr polynomiallr polynomialdecay sequentiallr swalr cosineembeddingloss ctcloss gaussiannllloss hinge
    hingeembeddingloss multilabelmarginloss multilabelsoftmarginloss multimarginloss poissonnllloss
    softmarginloss tripletmarginwithdistanceloss iou jaccard map bleu
    rouge precision recall specificity confusionmatrix mape randomrotation autoaugment augmix gaussianblur centercrop
    verticalflip randomverticalflip coco kitti
"""
RECIPES_LACK = frozenset(_RECIPES_LACK.split())
"""Ingredients that other tools have and netspec has not."""


CALL = re.compile(r"([A-Za-z_.0-9]+)\((.*)\)\Z")
"""A call as Python writes it."""


def folded(word: str) -> str:
    """A name without case, underscores and the module that it comes from: `nn.BatchNorm2d` is `batchnorm2d`."""
    return word.rpartition(".")[2].lower().replace("_", "").replace("-", "")


@lru_cache(maxsize=256)  # a loop may ask for one in every iteration
def op_help(word: str, names: tuple[str, ...]) -> str:
    """Return what to write instead of an op that does not exist; ``names`` are those that there are."""
    if called := CALL.match(word):
        word = called[1]
    known, key = {folded(name): name for name in names}, folded(word)
    plain = key.removeprefix("lazy")
    found = known.get(key) or known.get(plain) or OPS.get(key)
    if called:
        arguments = (
            f": {clipped(called[2])}" if re.fullmatch(r"[0-9a-z_]+", called[2]) else ": {…}" if called[2] else ""
        )
        return f"write `{found or word}{arguments}`: arguments follow a colon"
    if found is not None:
        return f"did you mean `{found}`?"
    if key in FORMS:
        return FORMS[key]
    if key in LOSSES or key in ("bceloss", "crossentropy") or (key in RECIPES_LACK and key.endswith("loss")):
        return "losses go under `train`: `train: {loss: cross_entropy, …}`"
    if key in ABSENT:
        return f"netspec has no equivalent of `{clipped(word)}` yet; `netspec ops` lists the ops"
    close = typo_of(word, names)
    return f"did you mean `{close}`?" if close else "`netspec ops` lists the ops"


def ingredient_help(kind: Kind, word: str, candidates: Iterable[str]) -> str | None:
    """Return what to write instead of an ingredient that does not exist; ``None`` where nothing is known of it."""
    names, key = [*candidates], folded(word)
    found = {folded(name): name for name in names}.get(key) or INGREDIENTS.get(kind, {}).get(key)
    if found is not None:
        return f"did you mean `{found}`?"
    if kind == "data" and key in FETCHED:
        name, files = FETCHED[key]
        return f"`torchvision: {{of: {name}, root: data, download: true}}` fetches it, and {files}"
    if key in SAID:
        return SAID[key]
    close = None if key in RECIPES_LACK else typo_of(word, names)
    return f"did you mean `{close}`?" if close else None
