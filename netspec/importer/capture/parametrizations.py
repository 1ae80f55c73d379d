"""Spectral normalisation as a single operator, by which a layer is known to have it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrizations

from netspec.importer.capture.tracing import replaced

LIBRARY = torch.library.Library("netspec", "FRAGMENT")  # type: ignore[no-untyped-call]
LIBRARY.define("spectral_norm(Tensor weight, Tensor u, Tensor v, int dim) -> Tensor")  # type: ignore[no-untyped-call]
OLD = sys.modules["torch.nn.utils.spectral_norm"].SpectralNorm
NEW = parametrizations._SpectralNorm


def whole_spectral_norms() -> AbstractContextManager[None]:
    """Have both of torch's spectral normalisations call one operator in inference."""
    return replaced((NEW, "forward", _new(NEW.forward)), (OLD, "compute_weight", _old(OLD.compute_weight)))


def _new(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(own: Any, weight: Tensor) -> Tensor:
        if weight.ndim == 1 or own.training:
            return forward(own, weight)
        return torch.ops.netspec.spectral_norm(weight, own._u, own._v, own.dim)  # type: ignore[no-any-return]

    return call


def _old(compute_weight: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(own: Any, module: Any, do_power_iteration: bool) -> Tensor:
        if do_power_iteration:
            return compute_weight(own, module, do_power_iteration)
        weight, u, v = (getattr(module, f"{own.name}_{part}") for part in ("orig", "u", "v"))
        return torch.ops.netspec.spectral_norm(weight, u, v, own.dim)  # type: ignore[no-any-return]

    return call


def _divided(weight: Tensor, u: Tensor, v: Tensor, dim: int) -> Tensor:
    """The weight divided by what u and v say its largest singular value is."""
    return weight / torch.dot(u, torch.mv(weight.movedim(dim, 0).flatten(1), v))


LIBRARY.impl("spectral_norm", _divided, "CPU")  # type: ignore[no-untyped-call]
torch.library.register_fake("netspec::spectral_norm", lambda weight, u, v, dim: torch.empty_like(weight), lib=LIBRARY)
