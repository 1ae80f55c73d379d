"""The user's own data: files of the usual formats, by their paths, which start at the spec's folder."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from netspec.ops.arguments import PerDimension, Positive, spread
from netspec.recipes.base import Column
from netspec.recipes.data import DataSet

Side = Annotated[Any, PerDimension(2, 1)]
Path = Annotated[str, Field(min_length=1)]


def _one_or_two(files: str | list[str]) -> str | list[str]:
    if isinstance(files, list) and len(files) != 2:
        raise ValueError("one file or a list of two")
    return files


OneOrTwoFiles = Annotated[Path | list[Path], AfterValidator(_one_or_two)]


class FileSet(DataSet):
    """Base of the user's own data."""

    knows = True


class Table(FileSet):
    """Base of tables: the columns named in ``features``, or all but the ``target``, are the row's `features`.

    Every value is a number; with ``classes`` the target is one of several words or numbers, in their order.
    ``validation`` and ``test`` are files of the same form.
    """

    main = "path"
    meaning = ("target", "features", "classes")

    path: Path
    target: Path
    features: Annotated[list[Path], Field(min_length=1)] | None = None
    classes: bool = False
    validation: Path | None = None
    test: Path | None = None

    def columns(self) -> Mapping[str, Column]:
        features = Column((None if self.features is None else len(self.features),))
        return {"features": features, self.target: Column((), "int64" if self.classes else "float32", target=True)}


class CSV(Table):
    """A file of comma-separated values whose first line names its columns."""

    name = "csv"
    torch = "netspec.train.data.tables.read_csv"


class Parquet(Table):
    """A Parquet file; needs the package pyarrow."""

    name = "parquet"
    torch = "netspec.train.data.tables.read_parquet"


class NPZ(FileSet):
    """NumPy arrays, a column each: an `.npz` file, or a folder of `.npy` files.

    They are called `x`, or `x_train`, `x_validation` and `x_test`. Bytes of two or three dimensions a row are images,
    [C, H, W] or [H, W]; whole numbers in the target are classes.
    """

    name = "npz"
    main = "path"
    torch = "netspec.train.data.archives.read_npz"
    meaning = ("target",)

    path: Path
    target: Path = "y"


class IDX(FileSet):
    """A folder of the four files of MNIST, Fashion-MNIST and their like (`train-images-idx3-ubyte`), gzipped or not."""

    name = "idx"
    main = "path"
    torch = "netspec.train.data.archives.read_idx"

    path: Path

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, None, None)), "label": Column((), "int64", target=True)}


class CIFAR(FileSet):
    """A folder of the binary version of CIFAR-10 (`data_batch_1.bin`) or CIFAR-100 (`train.bin`), 3×32×32."""

    name = "cifar"
    main = "path"
    torch = "netspec.train.data.archives.read_cifar"
    meaning = ("classes",)

    path: Path
    classes: Literal[10, 100] = 10

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((3, 32, 32)), "label": Column((), "int64", self.classes, target=True)}


class Images(FileSet):
    """A folder with a folder of images for each class, or with such folders in `train`, `val` and `test`.

    ``size`` makes all images equal in height and width; more of them than fit in memory are read as they are needed.
    Needs the package Pillow.
    """

    name = "images"
    main = "path"
    torch = "netspec.train.data.images.read"
    meaning = ("size", "grey")

    path: Path
    size: Side | None = None
    grey: bool = False

    def columns(self) -> Mapping[str, Column]:
        sides = (None, None) if self.size is None else spread(self.size, 2)
        return {"image": Column((1 if self.grey else 3, *sides)), "label": Column((), "int64", target=True)}


class Text(FileSet):
    """A text in UTF-8, in windows of `length` words or characters, each with what comes next.

    0 stands for words that are not in the training text, or there less than ``least`` times.
    """

    name = "text"
    main = "path"
    torch = "netspec.train.data.texts.read_text"
    meaning = ("length", "level", "least")

    path: Path
    length: Positive = 35
    level: Literal["char", "word"] = "char"
    least: Positive = 1
    validation: Path | None = None
    test: Path | None = None

    def columns(self) -> Mapping[str, Column]:
        shape = (self.length,)
        return {"tokens": Column(shape, "int64"), "next": Column(shape, "int64", target=True, shifted="tokens")}


class Pairs(FileSet):
    """Pairs of texts, such as translations: a file with a tab between the two, or two files, line for line.

    Pairs with more than ``longest`` words or characters are left out. The columns are those of `dates`; 3 stands for
    words that are not in the training pairs, or there less than ``least`` times. With ``shared`` a word has the same
    number in both texts.
    """

    name = "pairs"
    main = "path"
    torch = "netspec.train.data.pairs.read_pairs"
    meaning = ("level", "least", "longest", "shared")

    path: OneOrTwoFiles
    level: Literal["char", "word"] = "word"
    least: Positive = 1
    longest: Positive | None = None
    shared: bool = False
    validation: OneOrTwoFiles | None = None
    test: OneOrTwoFiles | None = None

    def columns(self) -> Mapping[str, Column]:
        return {
            "source": Column((None,), "int64", padding=0),
            "source_padding": Column((None,), "bool", padding=1),
            "lengths": Column((), "int64"),
            "target": Column((None,), "int64", padding=0),
            "next": Column((None,), "int64", target=True, padding=0, shifted="target"),
        }


class HuggingFace(FileSet):
    """A data set of the Hugging Face hub, or a folder in its form; needs the package datasets.

    ``size`` makes all images equal in height and width. Columns that are not numbers, classes or images are left out.
    """

    name = "hugging_face"
    main = "path"
    torch = "netspec.train.data.hubs.read_hugging_face"
    meaning = ("target", "size", "grey")

    path: Path
    target: Path = "label"
    configuration: Path | None = None
    size: Side | None = None
    grey: bool = False


class Torchvision(FileSet):
    """One of torchvision's small data sets of images, from its folder `root`; needs the package torchvision."""

    name = "torchvision"
    main = "of"
    torch = "netspec.train.data.hubs.read_torchvision"

    of: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]
    root: Path
    download: bool = False

    def columns(self) -> Mapping[str, Column]:
        shape = (3, 32, 32) if self.of.startswith("CIFAR") else (1, 28, 28)
        return {"image": Column(shape), "label": Column((), "int64", 100 if self.of == "CIFAR100" else 10, target=True)}
