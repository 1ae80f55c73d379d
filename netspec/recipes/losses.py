"""Losses: how an output is compared with its target."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from netspec.dims import pretty, pretty_shape
from netspec.ops import Tensor
from netspec.ops.core.arguments import Probability
from netspec.recipes.base import Column, Ingredient, Task

Weight = Annotated[float, Field(gt=0)]
Balanced = Literal["balanced"]


class LossMemory(NamedTuple):
    """The memory of a loss of float32 scores, in bytes for each score.

    ``forward`` and ``backward`` are the most that is there for a moment in either pass, the former with what is
    ``kept`` between them, the latter with the gradient of the scores and without what is kept. ``keeps_scores``: the
    scores themselves are kept, too. ``stays`` is there until the loss itself is gone, at the end of a step.
    ``by_pair``: the bytes are for each pair of scores of a row.
    """

    kept: int
    forward: int
    backward: int
    keeps_scores: bool
    stays: int = 0
    by_pair: bool = False


class Loss(Ingredient):
    """Base of every loss.

    ``torch`` names a function ``f(output, target, **arguments) -> Tensor``, a scalar: the mean over rows, and places.
    It is called with an output (N, …) in float32 and a target of the loss's ``task``:

    - ``classes``: scores (N, classes), or (N, classes, H, W) of images, and the number of the right class, (N) or
      (N, H, W), int64; sequences (N, T, classes) come as rows, (N·T, classes). Subclasses of ``ClassLoss`` take
      ``weight`` and ``ignore_index`` as torch's do.
    - ``binary``: scores for yes or no, and 0 or 1 in float32, in the output's shape.
    - ``numbers``: real numbers, and a target in the output's shape, float32.

    ``odds`` says that a score above 0 means yes; ``metrics`` are measured unless the recipe says others; without
    ``compares``, the target means nothing. ``takes_means`` says that a target may be the mean of several, as of rows
    that are mixed: of classes, their probabilities, float32, in the shape of the scores. ``by_row`` marks one that is
    the mean over rows, however many places of each count.
    """

    scale: Weight = 1.0
    """the loss's factor in the sum, where a network has several outputs"""
    target: str | None = None
    """the column that the output is compared with; default: the data's only target"""

    task: ClassVar[Task] = "numbers"
    odds: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    takes_means: ClassVar[bool] = True
    by_row: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]] = ()

    @property
    def memory(self) -> LossMemory:
        """The memory that it takes; of a loss that does not say, as much as any of netspec's."""
        return LossMemory(8, 24, 12, True)

    @property
    def per_class(self) -> bool:
        """True where the output has a score for each of several classes."""
        return self.task == "classes"

    def keywords(self) -> dict[str, Any]:
        """Return the arguments of the function, but for those of every loss and those that are null."""
        own = type(self).model_fields.keys() - Loss.model_fields.keys()
        return {name: value for name in sorted(own) if (value := getattr(self, name)) is not None}

    def misfit(self, output: Tensor, column: Column) -> str | None:
        """Return why the loss cannot compare an output of that shape with a column; ``None`` where it can."""
        shape = output.shape
        if self.task == "binary" and column.classes is not None and column.classes > 2:
            return f"`{self.name}` distinguishes two classes, but the target is one of {column.classes}"
        if not self.per_class:
            return self._unequal(output, column)
        if column.dtype not in ("int64", "bool"):
            return f"`{self.name}` expects classes, but the target is read as real numbers"
        if len(shape) != len(column.shape) + 2:
            wanted = "one dimension more than the target, for the classes"
            sizes = ", ".join([pretty(shape[0]), *("?" if size is None else str(size) for size in column.shape)])
            return (
                f"`{self.name}` takes an output of {wanted}, but it is {pretty_shape(shape)} and the target [{sizes}]"
            )
        classes = shape[1 if len(shape) > 3 else -1]
        places = shape[2:] if len(shape) > 3 else shape[1:-1]
        if differ(places, column.shape):
            return (
                f"the output has scores for {sized(places)} positions per row, but the target is {sized(column.shape)}"
            )
        if classes == 1:
            return f"`{self.name}` takes a score for each class, but the output is one number, {pretty_shape(shape)}"
        if isinstance(classes, int) and column.classes is not None and classes < column.classes:
            return f"the data have {column.classes} classes, but the output has scores for {classes}"
        return self._unequal_weights("weight", classes)

    def _unequal_weights(self, argument: str, count: Any) -> str | None:
        """Return why a list of weights is not for so many scores."""
        weights = getattr(self, argument, None)
        if isinstance(weights, list) and isinstance(count, int) and len(weights) != count:
            return f"`{argument}` of `{self.name}` has {len(weights)} numbers, but the output has {count} scores"
        return None

    def _unequal(self, output: Tensor, column: Column) -> str | None:
        row = output.shape[1:]
        if column.classes is not None and column.classes > 2 and row and isinstance(row[-1], int) and row[-1] > 2:
            return f"`{self.name}` compares numbers, but the target is one of {column.classes} classes"
        if differ([size for size in row if size != 1], [size for size in column.shape if size != 1]):
            return f"the output gives {pretty_shape(row)} for each row, but the target is {sized(column.shape)}"
        return None


def differ(output: Sequence[Any], target: Sequence[int | None]) -> bool:
    """Return whether two shapes cannot be the same. A size that is not known yet may be 1, and so none."""
    if len(output) == len(target):
        pairs = zip(output, target)
        return any(isinstance(own, int) and other is not None and own != other for own, other in pairs)
    return None not in target and all(isinstance(size, int) for size in output)


def sized(shape: Sequence[Any]) -> str:
    """Return the sizes of a row, for people: ``3×224×224``."""
    return "×".join("?" if size is None else pretty(size) for size in shape) or "one number"


class ClassLoss(Loss):
    """Base of those that compare a score for each class with the right one.

    Places whose target is ``ignore_index`` do not count; by default those that the data mark as padding. ``weight`` is
    how much a row of each class counts in the mean: a number for each, or `balanced`, which is n/(k·n_c) for k classes
    and n_c of n training rows (King and Zeng 2001).
    """

    task = "classes"
    takes_means = False
    metrics = ("accuracy",)

    weight: Balanced | list[Weight] | None = None
    """how much a row of each class counts in the mean: a number for each, or `balanced`, n/(k·n_c)"""
    ignore_index: int | None = None
    """the target of places that do not count; default: the one that the data mark as padding"""


class CrossEntropyLoss(ClassLoss):
    """Cross-entropy of the softmax of scores, in nats: −log p of the right class, averaged (maximum likelihood).

    ``label_smoothing`` spreads that share of the probability over all classes (Szegedy et al. 2015). ``weight`` is how
    much each class counts in the mean, a list or `balanced`; targets that are ``ignore_index`` do not, by default those
    that the data mark as padding.
    """

    name = "cross_entropy"
    torch = "torch.nn.functional.cross_entropy"
    takes_means = True

    label_smoothing: Probability = 0.0
    """the share of the probability that is spread over all classes"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 5 if self.label_smoothing else 4, 8, False)


class NLLLoss(ClassLoss):
    """Negative log-likelihood of outputs that are log-probabilities, as of a `log_softmax`."""

    name = "nll"
    torch = "torch.nn.functional.nll_loss"

    @property
    def memory(self) -> LossMemory:
        return LossMemory(0, 0, 4, True)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of the sigmoid of scores, in nats; the target is 0 or 1, or a probability.

    ``pos_weight`` is how much more a 1 counts than a 0: a number, one for each score, or `balanced`, which is how many
    zeros there are among the training rows for each one.
    """

    name = "binary_cross_entropy"
    torch = "torch.nn.functional.binary_cross_entropy_with_logits"
    task = "binary"
    metrics = ("accuracy",)

    pos_weight: Balanced | Weight | list[Weight] | None = None
    """how much more a 1 counts than a 0: a number, one for each score, or `balanced`, zeros over ones among the
    training rows"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(0, 8, 4 if self.pos_weight is None else 12, True)

    def misfit(self, output: Tensor, column: Column) -> str | None:
        shape = output.shape
        scores = shape[1 if len(shape) > 3 else -1]
        return super().misfit(output, column) or self._unequal_weights("pos_weight", scores)


class MSELoss(Loss):
    """Mean squared error, (ŷ − y)²."""

    name = "mse"
    torch = "torch.nn.functional.mse_loss"

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 8, 4, True, 4)


class L1Loss(Loss):
    """Mean absolute error, |ŷ − y|."""

    name = "l1"
    torch = "torch.nn.functional.l1_loss"

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 8, 12, False)


class HuberLoss(Loss):
    """Huber's loss: squared up to ``delta``, linear beyond (Huber 1964)."""

    name = "huber"
    torch = "torch.nn.functional.huber_loss"

    delta: Weight = 1.0
    """the error up to which the loss is squared"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(0, 4, 4, True)


class KLDivLoss(Loss):
    """Kullback–Leibler divergence of the softmax of scores from target probabilities, in nats, a row."""

    name = "kl_div"
    torch = "netspec.train.optimize.criteria.kl_divergence"

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 16, 8, False)


class MinimizedOutput(Loss):
    """The mean of the output itself, which is made small: a penalty, or a loss that the network works out.

    It reads no target, so a network may have it for an output beside others.
    """

    name = "minimize"
    torch = "netspec.train.optimize.criteria.mean"
    compares = False

    @property
    def memory(self) -> LossMemory:
        return LossMemory(0, 0, 4, False)

    def misfit(self, output: Tensor, column: Column) -> str | None:
        return None


class PerceptronLoss(Loss):
    """Rosenblatt's criterion, max(0, −y·f(x)) with y in {−1, 1} from a target of 0 and 1.

    With `sgd: 1.0` and a batch of 1 it is the perceptron rule: only a row on the wrong side moves the line.
    """

    name = "perceptron"
    torch = "netspec.train.optimize.criteria.perceptron"
    task = "binary"
    takes_means = False
    odds = False
    metrics = ("accuracy",)

    @property
    def memory(self) -> LossMemory:
        return LossMemory(5, 21, 8, False)
