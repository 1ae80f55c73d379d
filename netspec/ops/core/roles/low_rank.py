"""The low-rank change of an op's weight, which is learned in place of the weight itself (Hu et al. 2021)."""

from typing import Any, NamedTuple

from netspec.ops.core.roles.signature import OpSignature


class LowRank(NamedTuple):
    """Two ops that, one after the other, change what an op makes: ``up(down(x))`` is added to its output.

    ``most`` is the largest rank of such a change; above it, the pair has more numbers than the weight needs. ``zeros``
    says which of the two starts at zero, so that nothing is changed at first.
    """

    down: Any
    up: Any
    most: int
    zeros: str = "up"


class OpLowRank(OpSignature):
    """The role that tells how the op's weight is changed by two of low rank.

    May say: ``low_rank`` and ``change``, for an op that multiplies its input by one weight: its own tensor ``weight``,
    or what it reads at the port ``weight``.
    """

    def low_rank(self, rank: int, *inputs: Any) -> LowRank | None:
        """Return the two ops for a change of that rank, ``None`` for an op that has none. A group has its own rank."""
        return None

    def change(self, down: Any, up: Any) -> Any:
        """Return what is added to the weight for the same outputs, of the weights of the two as torch has them."""
        raise AssertionError(f"{self.name} has no change of low rank")
