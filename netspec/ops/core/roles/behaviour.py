"""The behaviour of an op: over the positions of its input, and when it runs again."""

from typing import ClassVar, NamedTuple

from netspec.ops.core.roles.signature import OpSignature


class AccessWindow(NamedTuple):
    """The places of an input's dimension that place ``i`` of the output reads: ``stride·i + first`` to
    ``stride·i + last``. All may be fractions, where the output is the finer one.
    """

    stride: float
    first: float
    last: float


PLACE = AccessWindow(1, 0, 0)
"""Each place reads its own."""


class OpBehaviour(OpSignature):
    """The role that tells what may be moved, merged or traced through the op.

    May say: ``batched_over_leading_dims``, whether it does the same at every place of the leading dimensions;
    ``stateful``, whether what it gives depends on more than its inputs and parameters: on chance, on earlier batches;
    ``is_random``, whether it draws random numbers in inference, too; ``access_windows``, for an op over spatial
    dimensions.
    """

    batched_over_leading_dims: ClassVar[bool] = False
    stateful: ClassVar[bool] = False

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        """Return whether the op acts independently on every index of the dimensions before the last, for this rank."""
        return self.batched_over_leading_dims

    def is_steady(self) -> bool:
        """Return whether the same inputs give the same outputs again, in training too."""
        return not self.stateful and not any(getattr(self, name, 0) for name in ("dropout", "dropout_p"))

    def is_random(self) -> bool:
        """Return whether it draws random numbers in inference, too."""
        return False

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        """Return what a place of the output reads of each of ``rank`` spatial dimensions.

        ``None`` where it reads all of them, nothing where it cannot be said place by place.
        """
        if self.family == "norm":
            return None
        local = self.family in ("activation", "dropout", "arithmetic") or self.name == "identity"
        return (PLACE,) * rank if local else ()
