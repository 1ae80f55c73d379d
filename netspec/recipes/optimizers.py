"""Optimizers: torch.optim's, by their names and with their defaults, and Newton's method."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from netspec.ops.core.arguments import Positive
from netspec.recipes.base import Ingredient

Rate = Annotated[float, Field(gt=0)]
"""the learning rate"""
Share = Annotated[float, Field(ge=0, lt=1)]
Amount = Annotated[float, Field(ge=0)]
"""added to a divisor, against division by zero"""
Betas = Annotated[list[Share], Field(min_length=2, max_length=2)]


class Optimizer(Ingredient):
    """Base of every optimizer. ``torch`` names a class derived from ``torch.optim.Optimizer``.

    It is called with the parameters, or groups of them, and the fields as keyword arguments; where it takes
    ``weight_decay``, it is given that, and else the decay is a term of the loss. A ``ValueError`` of it becomes a
    fault of the recipe. ``closure`` marks one that evaluates the loss several times a step; ``backward`` is true where
    these evaluations are to leave gradients. ``fused`` marks one that torch has in one kernel. Where it has none,
    ``temporaries`` are the tensors as large as a parameter that are there for a moment: as parameters are taken one
    after the other, and all at once. ``decays_apart`` says that weight decay is not added to the gradients, and
    ``usual_decay`` is that of all parameters where the recipe says nothing of it.
    """

    main = "lr"
    closure: ClassVar[bool] = False
    backward: ClassVar[bool] = True
    fused: ClassVar[bool] = False
    temporaries: ClassVar[tuple[int, int]] = (0, 0)
    decays_apart: ClassVar[bool] = False
    usual_decay: ClassVar[float] = 0.0

    @property
    def states(self) -> int:
        """The number of values that it keeps for each parameter, as it is set: its memory."""
        return 0

    def workspace(self, parameters: Sequence[int], at_once: bool, decays: bool = False) -> int:
        """Return how many temporary numbers an unfused step has, on parameters of so many numbers each.

        torch takes them all ``at_once`` on CUDA, and one after the other on CPU; ``decays`` says that weights decay.
        """
        one, all = (count + (decays and not self.decays_apart) for count in self.temporaries)
        if at_once:
            return all * sum(parameters)
        before = (0, *parameters) if self.temporaries[0] else (0,) * len(parameters)  # whose last tensor has a name yet
        return max((one * size + last for size, last in zip(parameters, before)), default=0)

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of the class."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


class SGD(Optimizer):
    """Stochastic gradient descent, with `momentum` (Polyak 1964) and Nesterov's form of it on demand."""

    name = "sgd"
    torch = "torch.optim.SGD"
    fused = True

    lr: Rate = 1e-3
    momentum: Share = 0.0
    """the share of the last step that the next one keeps"""
    dampening: Share = 0.0
    """the share of a new gradient that the momentum leaves out"""
    nesterov: bool = False
    """look ahead by the momentum, as Nesterov does"""

    @property
    def states(self) -> int:
        return int(self.momentum > 0)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError("`nesterov` requires a `momentum` and no `dampening`")
        return self


class Adagrad(Optimizer):
    """AdaGrad: a rate for each weight, from the sum of its squared gradients (Duchi et al. 2011)."""

    name = "adagrad"
    torch = "torch.optim.Adagrad"
    fused = True
    temporaries = (1, 2)

    lr: Rate = 1e-2
    lr_decay: Amount = 0.0
    """how fast the rate falls: lr/(1 + t·lr_decay) at step t"""
    eps: Amount = 1e-10

    @property
    def states(self) -> int:
        return 1


class RMSprop(Optimizer):
    """RMSprop: a rate for each weight, from a running mean of its squared gradients (Hinton 2012)."""

    name = "rmsprop"
    torch = "torch.optim.RMSprop"
    temporaries = (1, 1)

    lr: Rate = 1e-2
    alpha: Share = 0.99
    """the weight of the past in the mean of squared gradients"""
    eps: Amount = 1e-8
    momentum: Share = 0.0
    """the share of the last step that the next one keeps"""
    centered: bool = False
    """divide by the gradients' standard deviation rather than by their root mean square"""

    @property
    def states(self) -> int:
        return 1 + (self.momentum > 0) + self.centered


class Adadelta(Optimizer):
    """Adadelta: steps in the units of the weights (Zeiler 2012)."""

    name = "adadelta"
    torch = "torch.optim.Adadelta"
    temporaries = (2, 2)

    lr: Rate = 1.0
    rho: Share = 0.9
    """the weight of the past in the means of squares"""
    eps: Amount = 1e-6

    @property
    def states(self) -> int:
        return 2


class Adam(Optimizer):
    """Adam: running means of gradients and of their squares (Kingma and Ba 2014)."""

    name = "adam"
    torch = "torch.optim.Adam"
    fused = True
    temporaries = (2, 1)

    lr: Rate = 1e-3
    betas: Betas = [0.9, 0.999]
    """the weights of the past in the means of gradients and of their squares"""
    eps: Amount = 1e-8
    amsgrad: bool = False
    """keep the largest mean of squares there was (Reddi et al. 2018)"""

    @property
    def states(self) -> int:
        return 2 + self.amsgrad


class AdamW(Adam):
    """Adam with weight decay apart from the gradients (Loshchilov and Hutter 2017).

    The decay is 0.01 for all parameters, as torch has it, unless `weight_decay` says otherwise.
    """

    name = "adamw"
    torch = "torch.optim.AdamW"
    decays_apart = True
    usual_decay = 0.01


class LBFGS(Optimizer):
    """L-BFGS, on whole batches: curvature from the last steps (Liu and Nocedal 1989)."""

    name = "lbfgs"
    torch = "torch.optim.LBFGS"
    closure = True

    lr: Rate = 1.0
    max_iter: Positive = 20
    """the most iterations within one step"""
    history_size: Positive = 100
    """the number of past steps that tell the curvature"""
    line_search_fn: Literal["strong_wolfe"] | None = "strong_wolfe"
    """`strong_wolfe` searches along the step by Wolfe's conditions; null takes it as it is"""

    @property
    def states(self) -> int:
        """A step and a difference of gradients for each of the history, the last direction and its gradient."""
        return 2 * self.history_size + 2

    def workspace(self, parameters: Sequence[int], at_once: bool, decays: bool = False) -> int:
        """Return the numbers of weights and gradients along a line that is searched, and of their flat copies."""
        return 6 * sum(parameters)


class Newton(Optimizer):
    """Newton's method with the exact Hessian, for small networks: w ← w − lr·(H + λI)⁻¹·g.

    The damping λ keeps a step downhill where the loss curves the other way: it grows until a step lowers the loss, and
    shrinks after one that does (Levenberg 1944, Marquardt 1963).
    """

    name = "newton"
    torch = "netspec.train.optimize.newton.DampedNewton"
    closure = True
    backward = False

    lr: Rate = 1.0
    damping: Rate = 1e-3
    """λ, which is added to the Hessian's diagonal at first"""

    def workspace(self, parameters: Sequence[int], at_once: bool, decays: bool = False) -> int:
        """Return the numbers of the Hessian, row by row and whole, damped, and decomposed."""
        return 6 * sum(parameters) ** 2
