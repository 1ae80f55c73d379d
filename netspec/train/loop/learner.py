"""A network with all that its steps need: an objective, an optimizer, and a strategy for several processes."""

from __future__ import annotations

from netspec.diagnostics import UsageError
from netspec.elaborate.training.layers import layer_rates
from netspec.train.distributed.strategies import DDP, ModelWithLoss, SingleProcess, Strategy
from netspec.train.optimize.objective import Objective
from netspec.train.optimize.scaling import LossScaler
from netspec.train.optimizers import build_optimizer, freeze_beside, freeze_groups, penalised
from netspec.train.setup import Setup


class Learner:
    """The network of a setup, its ``objective``, ``strategy``, ``optimizer`` and ``scaler``, as the recipe asks for."""

    def __init__(self, setup: Setup):
        recipe, model = setup.recipe, setup.model
        freeze_groups(model, recipe.groups)
        freeze_beside(model, setup.graph.changes, recipe.groups)
        self.objective = Objective(
            setup.losses,
            setup.padding,
            penalised(recipe.optimizer, model, recipe.weight_decay),
            recipe.weight_decay.value if recipe.weight_decay is not None else 0.0,
        )
        self.strategy = strategy_of(setup, ModelWithLoss(model, self.objective, setup.autocast))
        decay = recipe.layer_decay
        factors = {} if decay is None else layer_rates(setup.graph.body, decay.decay)
        self.optimizer = build_optimizer(recipe.optimizer, model, recipe.weight_decay, recipe.groups, factors)
        self.scaler = LossScaler(setup.device, recipe.settings.precision)


def strategy_of(setup: Setup, module: ModelWithLoss) -> Strategy:
    """Return the strategy of a setup. Raises ``UsageError`` if its optimizer works in a single process alone."""
    world, optimizer, strategy = setup.world, setup.recipe.optimizer, setup.recipe.settings.strategy
    if world.size == 1:
        return SingleProcess(module)
    if optimizer.closure:
        raise UsageError(
            f"`{optimizer.name}` evaluates the loss several times per step, which only works on one device"
        )
    if strategy == "fsdp":
        from netspec.train.distributed.sharding import FSDP

        return FSDP(module, setup.device, world)
    return DDP(module, all_judged={*setup.graph.outputs} == {*setup.recipe.losses})
