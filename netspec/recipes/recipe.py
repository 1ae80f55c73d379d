"""The recipe of a spec: everything that ``train:`` says, checked, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.recipes.base import Ingredient
from netspec.recipes.settings import (
    PARTS,
    BatchNormMode,
    Checkpoint,
    EarlyStopping,
    LastEpochsMean,
    LayerDecay,
    LowRankAdaptation,
    MovingAverage,
    ParameterGroup,
    Settings,
    WeightDecay,
)
from netspec.recipes.weights import WeightsSource

if TYPE_CHECKING:  # a spec without a schedule loads none
    from netspec.recipes.data.base import DataSet, Transform
    from netspec.recipes.losses import Loss
    from netspec.recipes.metrics import Metric
    from netspec.recipes.optimizers import Optimizer
    from netspec.recipes.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe: everything that ``train`` says of a network.

    ``inputs`` says which column each input reads, where the spec does; ``losses`` has one for each output that is
    judged; ``groups`` has those of parameters by patterns of their keys; ``spans`` where each key of ``train:`` stands.
    """

    data: DataSet
    losses: Mapping[str, Loss]
    optimizer: Optimizer
    settings: Settings = field(default_factory=Settings)
    inputs: Mapping[str, str] = field(default_factory=dict)
    prepare: tuple[Transform, ...] = ()
    augment: tuple[Transform, ...] = ()
    metrics: tuple[Metric, ...] = ()
    schedule: Schedule | None = None
    weight_decay: WeightDecay | None = None
    groups: Mapping[str, ParameterGroup] = field(default_factory=dict)
    layer_decay: LayerDecay | None = None
    batch_norm: BatchNormMode | None = None
    lora: LowRankAdaptation | None = None
    ema: MovingAverage | None = None
    average: LastEpochsMean | None = None
    early_stopping: EarlyStopping | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    published: Mapping[str, float] = field(default_factory=dict)
    weights: WeightsSource | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)

    def folder_of(self, key: str, spec: str) -> Path:
        """Return the folder that paths under a key are relative to.

        It is that of ``spec``, the spec's file, where they stand in it, else the present one.
        """
        return Path(spec).parent if self.spans[key].source.name == spec else Path()

    @property
    def parts(self) -> Mapping[str, Ingredient | None]:
        """Return the settings that have keys of their own, by name."""
        return {name: getattr(self, name) for name in PARTS}

    def plain(self) -> dict[str, Any]:
        """Return the whole recipe in plain values, every default written out, as a run's folder keeps it."""
        return {
            "data": written(self.data),
            "inputs": dict(self.inputs),
            "prepare": [written(each) for each in self.prepare],
            "augment": [written(each) for each in self.augment],
            "loss": {output: written(loss) for output, loss in self.losses.items()},
            "metrics": [written(each) for each in self.metrics],
            "optimizer": written(self.optimizer),
            "groups": {pattern: group.model_dump() for pattern, group in self.groups.items()} or None,
            "schedule": None if self.schedule is None else written(self.schedule),
            **{name: None if part is None else part.model_dump() for name, part in self.parts.items()},
            "published": dict(self.published),
            "weights": None if self.weights is None else self.weights.plain(),
            **self.settings.model_dump(),
        }


def written(ingredient: Ingredient) -> dict[str, Any]:
    """Return an ingredient as a spec writes it, with all its arguments."""
    return {ingredient.name: ingredient.model_dump()}
