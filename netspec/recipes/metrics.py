"""Metrics: measures of how well an output meets its target, torchmetrics' or of `netspec.train.optimize.meters`."""

from typing import Any, ClassVar, Literal

from netspec.ops.core.arguments import Positive
from netspec.recipes.base import Ingredient, Task


class Metric(Ingredient):
    """Base of every metric.

    ``tasks`` has the full name of a class for each task that the metric can judge: ``classes``, outputs (n, classes)
    and the right class, (n); ``binary``, scores and truths, (n, questions); or ``numbers``, both (n, numbers). The
    class is one of torchmetrics', or has ``update(output, wanted)``, ``compute() -> float``, ``reset()`` and
    ``to(device)`` as they do; a ``Meter`` of ``netspec.train.optimize.meters`` is given scores for yes and no, all
    others probabilities. ``better`` says which way is better. ``decodes`` marks one that lets the network write its
    own sequence, word by word.
    """

    tasks: ClassVar[dict[Task, str]] = {}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    decodes: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The name of its value, in tables and in metrics.csv."""
        return self.name

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        """Return the keyword arguments of the class for a task; ``classes`` is how many there are, where there are."""
        return {"num_classes": classes} if task == "classes" else {}


class Accuracy(Metric):
    """The share of rows (of places, in sequences) whose class is right; among the `top_k` best, where that is more.

    Of yes and no, a target of a half or more is yes.
    """

    name = "accuracy"
    main = "top_k"
    tasks = {
        "classes": "torchmetrics.classification.MulticlassAccuracy",
        "binary": "netspec.train.optimize.meters.AccuracyMeter",
    }

    top_k: Positive = 1
    """the number of best scores among which the right class counts as found"""

    @property
    def label(self) -> str:
        return "accuracy" if self.top_k == 1 else f"top{self.top_k}_accuracy"

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        return {"num_classes": classes, "average": "micro", "top_k": self.top_k} if task == "classes" else {}


class F1(Metric):
    """The harmonic mean of precision and recall, averaged over the classes that occur, or over several yes and no."""

    name = "f1"
    tasks = {
        "classes": "netspec.train.optimize.meters.F1Meter",
        "binary": "netspec.train.optimize.meters.MultilabelF1Meter",
    }

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        return {}


class AUROC(Metric):
    """The area under the receiver operating characteristic, of each class against the rest, averaged over those for
    which there are rows of both kinds; not defined where there are for none.
    """

    name = "auroc"
    tasks = {
        "classes": "netspec.train.optimize.meters.AUROCMeter",
        "binary": "netspec.train.optimize.meters.AUROCMeter",
    }

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        return {}


class MeanSquaredError(Metric):
    """The mean squared error."""

    name = "mse"
    tasks = {"numbers": "torchmetrics.MeanSquaredError"}
    better = "lower"


class MeanAbsoluteError(Metric):
    """The mean absolute error."""

    name = "mae"
    tasks = {"numbers": "torchmetrics.MeanAbsoluteError"}
    better = "lower"


class R2(Metric):
    """The share of the target's variance that the output explains; of several numbers a row, the mean over them."""

    name = "r2"
    tasks = {"numbers": "netspec.train.optimize.meters.R2Meter"}


class Perplexity(Metric):
    """e to the mean cross-entropy: how many words the network hesitates between."""

    name = "perplexity"
    tasks = {"classes": "netspec.train.optimize.meters.PerplexityMeter"}
    better = "lower"

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        return {}


class ExactMatch(Metric):
    """The share of sequences that the network, reading back what it wrote itself, gets right from end to end."""

    name = "exact_match"
    tasks = {"classes": "torchmetrics.MeanMetric"}
    decodes = True

    def keywords(self, task: Task, classes: int | None) -> dict[str, Any]:
        return {}
