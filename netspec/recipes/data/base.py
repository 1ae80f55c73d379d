"""The bases of data sets and transforms, as far as they can be described before anything is read."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from netspec.recipes.base import Column, Ingredient


class DataSet(Ingredient):
    """Base of every data set.

    ``torch`` names the function that reads it: ``read(data_set, folder) -> netspec.train.data.Data``, where ``folder``
    is what relative paths start at. ``knows`` marks one whose reader takes a third argument: what a network that has
    been trained knows of its columns (``netspec.train.data.Meaning``), or ``None`` where it is yet to be trained.
    ``meaning`` are the arguments that say what the rows mean, rather than where they are: other data for such a network
    are read with the same. ``files`` are the arguments that name files or folders, which must be there.
    """

    knows: ClassVar[bool] = False
    meaning: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str, ...]] = ()

    def columns(self) -> Mapping[str, Column] | None:
        """Return its columns by name, in their order; ``None`` where they are known only once it is read."""
        return None


class Transform(Ingredient):
    """Base of every transform of a column.

    ``torch`` names the function that does it to a batch of rows: ``f(transform, rows) -> rows``, [n, …], images in
    float32 from 0 to 1 as [n, C, H, W]. ``draws`` is how many
    random numbers it takes for each row, given in a third argument, [rows, draws], between 0 and 1; ``fits`` marks one
    that learns from the training rows first (``f.fit(transform, rows) -> state``) and takes the state as third;
    ``for_targets`` one whose state is a mean and a deviation, by which predictions come back to the targets' scale.

    ``rescales`` marks one after which images are no longer from 0 to 1, ``of_colours`` one that varies images which
    are: it comes before the former. ``apart`` is true for one that does each row by itself, by torchvision: it needs
    that package, and its random numbers stay on the CPU.
    """

    for_targets: ClassVar[bool] = False
    draws: ClassVar[int] = 0
    fits: ClassVar[bool] = False
    rescales: ClassVar[bool] = False
    of_colours: ClassVar[bool] = False

    @classmethod
    def varies(cls) -> bool:
        """Return whether it draws random numbers, and so is for the rows that train alone."""
        return cls.draws > 0

    @property
    def apart(self) -> bool:
        """True where each row is done by itself, by torchvision."""
        return False

    def takes(self, column: Column) -> bool:
        """Return whether it is for such a column: by default for images, [C, H, W]."""
        return not column.target and len(column.shape) == 3

    def infer(self, column: Column) -> Column:
        """Return the column afterwards. Raises ``ValueError``, with the reason, where it cannot take such a one."""
        return column

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        """Write the ONNX nodes that do it to rows, [n, …], of a dtype; return the rows afterwards.

        ``builder`` is as for an op's ``onnx``; ``state`` is what it has learned of the column, in nested lists. A class
        without this method has no form in ONNX: a file that takes raw rows cannot have it inside.
        """
        return None


class Mixing(Transform):
    """Base of those that mix each row of a batch with the row before it, and their targets alike.

    ``torch`` names a function ``f(transform, rows) -> netspec.train.data.mixing.Mixture``, which is called once for
    each batch with torch's own random numbers.
    """

    main = "alpha"

    alpha: Annotated[float, Field(gt=0)] = 1.0
    """both parameters of the Beta distribution that the share of a row is drawn from: 1 draws all alike, smaller ones
    leave most rows nearly as they are"""
    p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """the share of the batches that are mixed; of several transforms that mix, a batch has one at most"""

    @classmethod
    def varies(cls) -> bool:
        return True
