"""The settings of a run, and the parts of ``train:`` that choose from nothing: each with its arguments."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from netspec.ops.core.arguments import Natural, Positive
from netspec.recipes.base import Ingredient
from netspec.text.quantities import UNITS, quantity

Above = Annotated[float, Field(gt=0)]
Part = Annotated[float, Field(gt=0, lt=1)]
LoggerName = Literal["tensorboard", "wandb", "mlflow"]
AUTOCAST = {"mixed": "bfloat16", "float16": "float16"}
"""The precisions whose weights stay in float32, and what torch's autocast computes in."""
Patterns = str | Annotated[list[str], Field(min_length=1)]
"""one pattern or several"""


def listed(patterns: str | list[str]) -> tuple[str, ...]:
    """Return one pattern, or several, as a tuple."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def as_bytes(text: object) -> object:
    """Return a text that means a number of bytes. Raises ``ValueError`` for another."""
    if not isinstance(text, str) or not quantity(text, of_bytes=True):
        raise ValueError(f"a size such as 8GiB, in {UNITS}")
    return text


class Settings(Ingredient):
    """The numbers of a run.

    ``batch`` is the global batch, over all devices and ``accumulate`` parts; with ``drop_last`` an epoch ends without
    the rows that make no full one. ``memory`` has the run choose ``accumulate``, and the levels that are recomputed, so
    that a step is foretold to fit. With ``sample`` an epoch has as many rows as ever, but as many of each class, or
    shares of them in proportion to a list: rows of a rare class come several times, and not all of a frequent one.
    ``validation`` is the share of the training rows that are held back to judge by, where the data have no such part of
    their own: of classes, as large a share of each. ``group_by_length`` puts
    sequences that are about as long into one batch, and leaves out the padding that all of them have. ``devices`` as a
    number is that of processes on each machine, one a GPU where there are any; with ``ddp`` each has the whole network,
    with ``fsdp`` a part of every block. ``workers`` is the number of processes that read ahead what lies on disk.
    In the precision ``float16`` the loss is scaled up before the backward pass, so that small gradients stay above the
    least number of float16, and a step whose gradients are too large for it is left out and the scale halved.
    """

    name = "train"

    epochs: Positive | None = None
    steps: Positive | None = None
    batch: Positive | None = 64
    drop_last: bool = False
    sample: Literal["balanced"] | Annotated[list[Above], Field(min_length=2)] | None = None
    group_by_length: bool = False
    accumulate: Positive = 1
    memory: Annotated[str, BeforeValidator(as_bytes)] | None = None
    clip: Above | None = None
    validation: Part | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    evaluate_train: bool = False
    precision: Literal["float32", "mixed", "float16", "bfloat16"] = "float32"
    compile: Literal["none", "regional", "whole"] = "none"
    channels_last: bool = False
    devices: Literal["auto", "cpu", "cuda"] | Positive = "auto"
    strategy: Literal["ddp", "fsdp"] = "ddp"
    workers: Natural | None = None
    seed: Natural = 0
    loggers: LoggerName | list[LoggerName] = []

    @property
    def logger_names(self) -> tuple[str, ...]:
        """Return the names of the loggers, each once."""
        return tuple(dict.fromkeys([self.loggers] if isinstance(self.loggers, str) else self.loggers))


class WeightDecay(Ingredient):
    """A penalty of value/2·|w|² on the weights, or decay apart from the gradients where the optimizer has it.

    ``skip`` leaves out biases, the scales of norms, or embeddings.
    """

    name = "weight_decay"
    main = "value"

    value: Annotated[float, Field(ge=0)]
    """how strongly: the penalty's factor, or the decay"""
    skip: list[Literal["bias", "norm", "embedding"]] = []
    """the parameters that are left alone: biases, the scales of norms, or embeddings"""


class ParameterGroup(Ingredient):
    """Parameters with a learning rate, a weight decay or a beginning of their own.

    Where several groups have a parameter, the first one counts.
    """

    name = "groups"
    main = "lr"

    lr: Above | None = None
    """the learning rate, which the schedule moves as it does the optimizer's"""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """the decay in place of the recipe's, which still leaves alone what its `skip` says"""
    warmup: Natural | None = None
    """first steps of the run over which their rate rises evenly from nothing, in place of the schedule's `warmup`"""
    freeze: bool | Positive = False
    """keep them as they are: throughout, or for so many epochs"""


class LayerDecay(Ingredient):
    """Learning rates that fall from the last layer to the first: each is multiplied by decay^(last − layer).

    Layers are the blocks of the network and the iterations of its repeats, the outermost ones that have parameters; a
    block with a repeat in it is a stage, whose blocks are layers one by one. A layer's number is that of the layers on
    the longest path to it from the inputs, itself included. A step between layers has the number of the layer before
    it, and one before the first is 0; one that leads to no layer, as a head does, has the last, but a norm right behind
    the last block is part of that layer, as in timm. In a network without blocks and repeats each step with parameters
    is a layer, from 0 on. Rates of groups are multiplied too.
    """

    name = "layer_decay"
    main = "decay"

    decay: Part
    """the factor from one layer to the one before it; layers are the outermost blocks and iterations, those of a
    stage one by one, else the steps that have parameters, along the longest path; what precedes them is 0, a head last
    """


class BatchNormMode(Ingredient):
    """The mode of batch norms while the network is trained: for a trunk that stays as its weights came.

    With ``train: false`` they run as in evaluation: they use their running statistics, and keep them. Their scales and
    shifts are learned all the same, unless a group freezes them.
    """

    name = "batch_norm"

    train: bool
    """false: as in evaluation"""
    of: Patterns = "*"
    """patterns of the keys of those that this is about; default: all"""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the patterns as a list has them."""
        return listed(self.of)


class LowRankAdaptation(Ingredient):
    """Low-rank changes of weights, learned in place of the weights themselves (LoRA, Hu et al. 2021).

    Beside each step that is named come two of its kind, `lora_A` to `rank` numbers and `lora_B` back, whose result,
    times alpha/rank, is added to the step's own: to begin with, nothing. They are steps of the network as others are.
    Everything else stays as it is, but for what `groups` names. In ONNX the changes are part of the weights.
    """

    name = "lora"
    main = "rank"

    rank: Positive
    """the number of rows of one matrix and of columns of the other; that of each group of a convolution"""
    of: Patterns | None = None
    """patterns of the steps, or of levels: `*.qkv`; default: all linear maps and convolutions that are large enough,
    but those whose weights `groups` names"""
    skip: str | list[str] = []
    """patterns of steps that are left out"""
    alpha: Above | None = None
    """the change counts alpha/rank times; default: the rank, so that it counts once"""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """the probability that a number which the change is computed from is zero, in training"""

    @property
    def scale(self) -> float:
        """Return how many times a change counts."""
        return 1.0 if self.alpha is None else self.alpha / self.rank


class MovingAverage(Ingredient):
    """An exponential moving average of the weights, which is judged, and kept, in place of the weights themselves.

    After each step the average is decay·average + (1 − decay)·weights; statistics of batch norms are averaged too
    (Polyak and Juditsky 1992).
    """

    name = "ema"
    main = "decay"

    decay: Part
    """the share of the average that a step leaves as it is: 0.999"""
    warmup: bool = False
    """begin with a smaller decay, (1 + t)/(10 + t) at step t, which short runs need"""


class LastEpochsMean(Ingredient):
    """The mean of the weights at the ends of the last epochs, which in the end takes the place of the best ones.

    Batch norms then learn their statistics anew, in an epoch of the training rows (Izmailov et al. 2018).
    """

    name = "average"
    main = "epochs"

    epochs: Annotated[int, Field(ge=2)] = 5
    """the number of last epochs"""
    batch_norm: bool = True
    """have batch norms learn their statistics anew; false: these are averaged, too"""


class EarlyStopping(Ingredient):
    """An end before the last epoch, when what is watched has not become better for ``patience`` epochs.

    ``target`` ends the run as soon as it is reached.
    """

    name = "early_stopping"
    main = "patience"

    patience: Positive | None = None
    """epochs in a row without a better value that are borne"""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """the least change that counts as better"""
    metric: str = "loss"
    """the metric that is watched, or `loss`, of the validation"""
    target: float | None = None
    """the value that ends the run as soon as it is reached"""


class Checkpoint(Ingredient):
    """The saving of a run: every so many ``steps``, or ``minutes``; the ``keep`` last ones are kept."""

    name = "checkpoint"
    main = "minutes"

    minutes: Above | None = 1.0
    """minutes from one save to the next; null for none"""
    steps: Positive | None = None
    """steps from one save to the next"""
    keep: Positive = 2
    """the number of last saves that are kept"""


PARTS: Mapping[str, type[Ingredient]] = {
    kind.name: kind
    for kind in (
        WeightDecay,
        LayerDecay,
        BatchNormMode,
        LowRankAdaptation,
        MovingAverage,
        LastEpochsMean,
        EarlyStopping,
        Checkpoint,
    )
}
"""The keys of ``train`` that have keys of their own; ``Recipe`` has a field of each name."""
NAMED_PARTS: Mapping[str, type[Ingredient]] = {ParameterGroup.name: ParameterGroup}
"""Those that map patterns to such keys."""
