"""The user's own data: files of the usual formats, by their paths, which start at the spec's folder."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from netspec.ops.core.arguments import PerDimension, Positive, spread
from netspec.recipes.base import Column
from netspec.recipes.data.base import DataSet
from netspec.recipes.data.table_column import A_DAY

Side = Annotated[Any, PerDimension(2, 1)]
"""the height and width that all images are brought to, one number for both or two"""
Path = Annotated[str, Field(min_length=1)]
Folder = Path
"""the folder"""
TARGETS = "targets"
"""The column of several targets of a table, which are numbers."""
Background = Literal["white", "black"]
"""what transparent places of images show"""
Level = Literal["char", "word"]
"""the units that a text is cut into: characters or words"""
FurtherFile = Path
"""a file of the same form with the rows of this part"""


def _one_or_two(files: str | list[str]) -> str | list[str]:
    if isinstance(files, list) and len(files) != 2:
        raise ValueError("one file or a list of two")
    return files


OneOrTwoFiles = Annotated[Path | list[Path], AfterValidator(_one_or_two)]
FurtherTexts = OneOrTwoFiles
"""a file, or two, of the same form with the pairs of this part"""


def _different(names: str | list[str]) -> str | list[str]:
    if isinstance(names, list) and len({*names}) < len(names):
        raise ValueError("names that differ")
    return names


Names = Annotated[list[Path], Field(min_length=1)]
OneOrSeveral = Annotated[Path | Names, AfterValidator(_different)]


def _of_dates(format: str) -> str:
    try:
        found = datetime.strptime(A_DAY.strftime(format), format)
    except (ValueError, re.error):
        found = datetime.min
    if found.date() != A_DAY.date():
        raise ValueError("a format of year, month and day, such as `%d.%m.%Y`")
    return format


DateFormat = Annotated[Path, AfterValidator(_of_dates)]


def _of_text(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise ValueError("an encoding of text that Python knows, such as `latin-1`") from None
    return encoding


def several(names: str | list[str]) -> tuple[str, ...]:
    """Return one name, or several, as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


TABLE_KEYS = ("leave_out", "missing", "na_values", "categories", "categorical", "date_parts", "date_format")


class TableFile(DataSet):
    """Base of tables: the columns named in ``features``, or all but the ``target``, are the row's `features`.

    With ``classes`` the target is one of several words or numbers, in their order. Several targets together are the
    row's `targets`; with ``classes`` each is a column of its own, which a loss names. Features are numbers; true and
    false, or yes and no, are 1 and 0; words, dates and gaps become numbers as ``categories``, ``date_parts`` and
    ``missing`` say. The format of dates is found where all of a column have one: 2024-05-31, 31.05.2024, or 5/31/2024.
    What the training rows decide is kept with the run, and done to all other rows: a word that is in
    none of them counts as none. ``validation`` and ``test`` are files of the same form.
    """

    main = "path"
    files = ("path", "validation", "test")
    knows = True
    meaning: ClassVar[tuple[str, ...]] = ("target", "features", "classes", *TABLE_KEYS)

    path: Path
    """the file"""
    target: OneOrSeveral
    """the column to be predicted, or several"""
    features: Annotated[list[Path], Field(min_length=1)] | None = None
    """the columns to predict from; default: all but the target"""
    classes: bool = False
    """take the target as one of several words or numbers, rather than as a number"""
    leave_out: Names | None = None
    """columns that are no features, such as names and numbers of rows"""
    missing: Literal["refuse", "fill"] = "refuse"
    """gaps among the features: an error, or filled with the median of the column, or its most frequent word"""
    na_values: Annotated[list[str | int | float], Field(min_length=1)] | None = None
    """texts and numbers that stand for a gap, such as `?` and −999, besides the usual ones: empty, `NA`, `nan`, …"""
    categories: Literal["refuse", "one_hot", "ids"] = "refuse"
    """words among the features: an error, a feature of 0 and 1 for each word, or an input of its own for each column,
    of whole numbers from 1 on, for an `embedding`"""
    categorical: Names | None = None
    """columns of numbers that are taken as words, such as codes"""
    date_parts: bool = False
    """make year, month, day and weekday of dates among the features (2024-05-31, also with a time)"""
    date_format: DateFormat | dict[str, DateFormat] | None = None
    """the format of dates, such as `%d.%m.%Y`, or one for each column by its name, where it cannot be found"""
    validation: FurtherFile | None = None
    test: FurtherFile | None = None

    @model_validator(mode="after")
    def _formats_are_of_parts(self) -> Self:
        if self.date_format is not None and not self.date_parts:
            raise ValueError("`date_format` is for dates, which `date_parts: true` makes features of")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that are to be predicted."""
        return several(self.target)

    def columns(self) -> Mapping[str, Column] | None:
        if self.categories == "ids":
            return None
        several_each = self.categories == "one_hot" or self.date_parts or self.categorical
        count = None if self.features is None or several_each else len(self.features)
        return {"features": Column((count,)), **self.target_columns()}

    def target_columns(self) -> Mapping[str, Column]:
        """Return the columns of the targets alone."""
        if isinstance(self.target, list) and not self.classes:
            return {TARGETS: Column((len(self.target),), target=True)}
        dtype = "int64" if self.classes else "float32"
        return {name: Column((), dtype, target=True) for name in self.targets}


class CSV(TableFile):
    """A file of comma-separated values whose first line names its columns.

    ``separator`` is what stands between two values: by default the one of comma, semicolon, tab and bar that cuts the
    lines alike. ``decimal`` is the mark before the digits behind the whole number. A mark between ``thousands`` is
    found where the numbers of a column prove it: 1,234 alone does not, and 1,234,567 or 1,234.5 does.
    """

    name = "csv"
    torch = "netspec.train.data.readers.tables.read.read_csv"
    meaning = (*TableFile.meaning, "separator", "encoding", "decimal", "thousands")

    separator: Annotated[str, Field(pattern=r'^[^"\r\n]$')] | None = None
    """the character between two values; default: the one of comma, semicolon, tab and bar that cuts the lines alike"""
    encoding: Annotated[Path, AfterValidator(_of_text)] = "utf-8"
    """the encoding of the file, by Python's name: `latin-1`, or `cp1252`, as Windows writes"""
    decimal: Literal[".", ","] = "."
    """the mark before the digits behind the whole number"""
    thousands: Literal[".", ",", "'", " "] | None = None
    """the mark between thousands; default: the one that a column's numbers prove"""

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands == self.decimal:
            other = "," if self.decimal == "." else "."
            raise ValueError(f"`thousands` is the mark before the decimals, too: `decimal: '{other}'`")
        return self


class Parquet(TableFile):
    """A Parquet file; needs the package pyarrow."""

    name = "parquet"
    torch = "netspec.train.data.readers.tables.read.read_parquet"


class NPZ(DataSet):
    """NumPy arrays, a column each: an `.npz` file, or a folder of `.npy` files.

    They are called `x`, or `x_train`, `x_validation` and `x_test`. Bytes of two or three dimensions a row are images,
    [C, H, W] or [H, W]; whole numbers in a target are classes where its loss compares with such, and so are bytes.
    Of several targets, each has a loss that names it.
    """

    name = "npz"
    main = "path"
    files = ("path",)
    torch = "netspec.train.data.readers.numpy_files.read_npz"
    meaning = ("target",)

    path: Path
    """the `.npz` file, or the folder of `.npy` files"""
    target: OneOrSeveral = "y"
    """the array to be predicted, or several"""

    @property
    def targets(self) -> tuple[str, ...]:
        """The arrays that are to be predicted."""
        return several(self.target)


class IDX(DataSet):
    """A folder of the four files of MNIST, Fashion-MNIST and their like (`train-images-idx3-ubyte`), gzipped or not."""

    name = "idx"
    main = "path"
    files = ("path",)
    torch = "netspec.train.data.readers.archives.read_idx"

    path: Folder

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, None, None)), "label": Column((), "int64", target=True)}


class CIFAR(DataSet):
    """A folder of the binary version of CIFAR-10 (`data_batch_1.bin`) or CIFAR-100 (`train.bin`), 3×32×32."""

    name = "cifar"
    main = "path"
    files = ("path",)
    torch = "netspec.train.data.readers.archives.read_cifar"
    meaning = ("classes",)

    path: Folder
    classes: Literal[10, 100] = 10
    """10 for CIFAR-10, 100 for CIFAR-100"""

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((3, 32, 32)), "label": Column((), "int64", self.classes, target=True)}


class Images(DataSet):
    """A folder with a folder of images for each class, or with such folders in `train`, `val` and `test`.

    ``size`` makes all images equal in height and width; more of them than fit in memory are read as they are needed.
    Images stand upright, as their EXIF says; greys of 16 bits become 0 to 1 as those of 8 do, real numbers stay what
    they are, transparent places show the ``background``, and of several pictures in a file the first is taken. PNG,
    JPEG, WebP, TIFF, BMP, GIF and PPM are read; HEIC, AVIF, PSD and the like are left out, and told. Needs the package
    Pillow.
    """

    name = "images"
    main = "path"
    files = ("path",)
    torch = "netspec.train.data.readers.images.read"
    knows = True
    meaning = ("size", "grey", "background")

    path: Folder
    size: Side | None = None
    grey: bool = False
    """read images with one channel rather than three"""
    background: Background = "white"

    def columns(self) -> Mapping[str, Column]:
        sides = (None, None) if self.size is None else spread(self.size, 2)
        return {"image": Column((1 if self.grey else 3, *sides)), "label": Column((), "int64", target=True)}


class Text(DataSet):
    """A text in UTF-8, in windows of `length` words or characters, each with what comes next.

    0 stands for words that are not in the training text, or there less than ``least`` times.
    """

    name = "text"
    main = "path"
    files = ("path", "validation", "test")
    torch = "netspec.train.data.readers.texts.read_text"
    knows = True
    meaning = ("length", "level", "least")

    path: Path
    """the file"""
    length: Positive = 35
    """the number of words or characters in a window"""
    level: Level = "char"
    least: Positive = 1
    """how often a word stands in the training text at least; rarer ones are 0"""
    validation: FurtherFile | None = None
    test: FurtherFile | None = None

    def columns(self) -> Mapping[str, Column]:
        shape = (self.length,)
        return {"tokens": Column(shape, "int64"), "next": Column(shape, "int64", target=True, shifted="tokens")}


class Pairs(DataSet):
    """Pairs of texts, such as translations: a file with a tab between the two, or two files, line for line.

    Pairs with more than ``longest`` words or characters are left out. The columns are those of `dates`; 3 stands for
    words that are not in the training pairs, or there less than ``least`` times. With ``shared`` a word has the same
    number in both texts.
    """

    name = "pairs"
    main = "path"
    files = ("path", "validation", "test")
    torch = "netspec.train.data.readers.pairs.read_pairs"
    knows = True
    meaning = ("level", "least", "longest", "shared")

    path: OneOrTwoFiles
    """the file with a tab between the two texts, or two files"""
    level: Level = "word"
    least: Positive = 1
    """how often a word stands in the training pairs at least; rarer ones are 3"""
    longest: Positive | None = None
    """the most words or characters of a text; longer pairs are left out"""
    shared: bool = False
    """give a word the same number in both texts"""
    validation: FurtherTexts | None = None
    test: FurtherTexts | None = None

    def columns(self) -> Mapping[str, Column]:
        return {
            "source": Column((None,), "int64", padding=0),
            "source_padding": Column((None,), "bool", padding=1),
            "lengths": Column((), "int64"),
            "target": Column((None,), "int64", padding=0),
            "next": Column((None,), "int64", target=True, padding=0, shifted="target"),
        }


class HuggingFace(DataSet):
    """A data set of the Hugging Face hub, or a folder in its form; needs the package datasets.

    ``size`` makes all images equal in height and width. Columns that are not numbers, classes or images are left out.
    """

    name = "hugging_face"
    main = "path"
    torch = "netspec.train.data.readers.hubs.read_hugging_face"
    meaning = ("target", "size", "grey", "background")

    path: Path
    """the name of the data set on the hub, or a folder"""
    target: OneOrSeveral = "label"
    """the column to be predicted, or several"""
    configuration: Path | None = None
    """the name of the configuration, where the data set has several"""
    size: Side | None = None
    grey: bool = False
    """read images with one channel rather than three"""
    background: Background = "white"

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that are to be predicted."""
        return several(self.target)


class Torchvision(DataSet):
    """One of torchvision's small data sets of images, from its folder `root`; needs the package torchvision."""

    name = "torchvision"
    main = "of"
    torch = "netspec.train.data.readers.hubs.read_torchvision"

    of: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]
    """the data set, by torchvision's name"""
    root: Path
    """the folder that it lies in"""
    download: bool = False
    """load it from the internet where it is not there"""

    def columns(self) -> Mapping[str, Column]:
        shape = (3, 32, 32) if self.of.startswith("CIFAR") else (1, 28, 28)
        return {"image": Column(shape), "label": Column((), "int64", 100 if self.of == "CIFAR100" else 10, target=True)}
