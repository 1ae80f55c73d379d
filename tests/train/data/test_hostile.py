"""Files that are none, lie, or are broken: each is told in a sentence, at once, and takes no memory for what it claims.

``NETSPEC_MANY=100 pytest tests/train/data/test_hostile.py`` damages a hundred times as many files.
"""

import gzip
import os
import socket
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from train.data.reading import fault, read
from train.data.test_archives import write_cifar, write_idx

from netspec.recipes.data.files import CIFAR, CSV, IDX, NPZ, HuggingFace, Images, Pairs, Parquet, Text
from netspec.train.data import DataFault, paths

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
FILES = [CSV(path="it", target="y"), NPZ(path="it"), Text(path="it"), Pairs(path="it"), Parquet(path="it", target="y")]
SPECIAL = {
    "fifo": "it is a pipe (FIFO), but a file is expected",
    "device": "it is a device, but a file is expected",
    "folder": "it is a folder, but a file is expected",
    "socket": "it cannot be read: it is a socket or a device",
    "broken": "it is a link to nothing\npaths start at the folder of the spec",
    "loop": "it cannot be read: Too many levels of symbolic links",
}


def make(path, kind):
    """A file that is no regular one."""
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        case "broken":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path.name)


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("data_set", FILES, ids=lambda each: each.name)
def test_what_is_no_file_is_told(tmp_path, monkeypatch, data_set, kind):
    if data_set.name == "parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "it", kind)
    told = SPECIAL[kind]
    if data_set.name == "npz" and kind == "folder":
        told = "it has no .npy files"
    assert fault(data_set, tmp_path) == told


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_file_in_a_folder_is_told(tmp_path, kind):
    what = SPECIAL[kind].removeprefix("it ")
    for folder in ("idx", "packed", "cifar", "npz"):
        (tmp_path / folder).mkdir()
    make(tmp_path / "idx" / "train-images-idx3-ubyte", kind)
    make(tmp_path / "packed" / "train-images-idx3-ubyte.gz", kind)
    make(tmp_path / "cifar" / "data_batch_1.bin", kind)
    make(tmp_path / "npz" / "x.npy", kind)
    assert fault(IDX(path="idx"), tmp_path) == f"idx/train-images-idx3-ubyte {what}"
    assert fault(IDX(path="packed"), tmp_path) == f"packed/train-images-idx3-ubyte.gz {what}"
    assert fault(CIFAR(path="cifar"), tmp_path) == f"cifar/data_batch_1.bin {what}"
    assert fault(NPZ(path="npz"), tmp_path) == f"npz/x.npy {what}"


@pytest.mark.parametrize("kind", ["fifo", "device", "broken", "pickle"])
def test_a_folder_for_datasets_holds_plain_files_alone(tmp_path, kind):
    pytest.importorskip("datasets")
    (tmp_path / "it").mkdir()
    if kind == "pickle":
        (tmp_path / "it" / "train.pkl").write_bytes(b"cos\nsystem\n.")
    else:
        make(tmp_path / "it" / "train.csv", kind)
    told = {
        "fifo": "it/train.csv is a pipe (FIFO), but a file is expected",
        "device": "it/train.csv is a device, but a file is expected",
        "broken": "it/train.csv cannot be read: No such file or directory",
        "pickle": "it/train.pkl may run code when it is read\n"
        "save the rows as Parquet, CSV or JSON, and take it out of the folder",
    }[kind]
    assert fault(HuggingFace(path="it"), tmp_path) == told


def npy(dtype, shape, body=b"\0" * 64, order="False"):
    """An `.npy` file with a header of one's own."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + body


Y = npy("<i8", "(4,)", np.array([0, 1, 0, 1]).tobytes())


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (npy("<f4", "(2147483648, 2)"), 
         "ends after 64 bytes, but its header says 2147483648×2 of float32, 17,179,869,184 bytes"),
        (npy("<f4", f"({2**96},)"), f"says in its header that its shape is [{2**96}]"),
        (npy("<f4", f"({2**70}, 0)"), f"says in its header that its shape is [{2**70}, 0]"),
        (npy("<f4", "(-4, 2)"), "says in its header that its shape is [-4, 2]"),
        (npy("<f4", "(True, 2)"), "says in its header that its shape is [True, 2]"),
        (npy("<f4", "(4, 2)", b"1234567"), "ends after 7 bytes, but its header says 4×2 of float32, 32 bytes"),
        (npy("|O", "(4,)"), "cannot be read: it holds Python objects, which might run code when they are read"),
        (npy("<q9", "(4,)"), "cannot be read: descr is not a valid dtype descriptor: '<q9'"),
        (b"\x93NUMPY\1\0\xff\x20" + b"(" * 8447, "cannot be read: "),
        (b"\x93NUMPY\x09\0\x10\0", "is of a version of NumPy's format for arrays with named fields"),
        (b"", "cannot be read: "),
    ],
)  # fmt: skip
def test_headers_of_arrays_that_lie(tmp_path, x, told):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.npy").write_bytes(x)
    (tmp_path / "a" / "y.npy").write_bytes(Y)
    assert fault(NPZ(path="a"), tmp_path).startswith(f"a/x.npy {told}")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", x)
        archive.writestr("y.npy", Y)
    assert fault(NPZ(path="a.npz"), tmp_path).startswith(f"`x` in a.npz {told}")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros(4, "U2"), "holds <U2"), (np.zeros(4, "c8"), "holds complex64"), (np.zeros(4, "V8"), "holds |V8"),
        (np.zeros(4, "M8[s]"), "holds datetime64[s]"), (np.zeros(4, [("a", "f4"), ("b", "i2")]), "holds [('a', '<f4')"),
    ],
)  # fmt: skip
def test_arrays_that_hold_no_numbers(tmp_path, array, told):
    np.savez(tmp_path / "a.npz", x=array, y=[0, 1, 0, 1])
    assert fault(NPZ(path="a.npz"), tmp_path).startswith(f"a.npz: `x` {told}")


@pytest.mark.parametrize("dtype", [">f4", "<f2", ">f8", ">i2", "<u2", "?", "i1"])
def test_numbers_of_any_kind_come_back(tmp_path, dtype):
    x = np.asfortranarray(np.arange(8).reshape(4, 2)).astype(dtype)
    np.savez(tmp_path / "a.npz", x=x, y=[0, 1, 0, 1])
    assert read(NPZ(path="a.npz"), tmp_path).train.tensors["x"].tolist() == x.astype(float).tolist()


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.array([0, 1, 2**63, 1], "u8"), "`y[2]` is 9223372036854775808, which is too large a number"),
        (np.array([0, 1, 2**62, 1]), "class 2 of `y` is in none of the training rows\n"),
        (np.array([0, 1, 1e39, 1]), "`y[2]` is 1e+39, which is too large a number"),
        (np.array([0, 1, np.inf, 1], "f2"), "`y[2]` is inf, which is no number to learn from"),
    ],
)  # fmt: skip
def test_numbers_that_are_too_large(tmp_path, y, told):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=y)
    assert fault(NPZ(path="a.npz"), tmp_path).startswith(f"a.npz: {told}")


def test_an_archive_is_judged_before_it_is_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy("<f4", f"({2**24},)", bytes(2**26)))
        archive.writestr("y.npy", Y)
    assert fault(NPZ(path="a.npz"), tmp_path) == "a.npz: `x` has 16777216 rows, but `y` has 4"
    monkeypatch.setattr(paths, "free_memory", lambda: 2**25)
    assert fault(NPZ(path="a.npz"), tmp_path) == "a.npz, unpacked, has 67.1 MB, which do not fit in memory"


def test_an_archive_with_two_members_of_a_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("x", "z", "y"):
            archive.writestr(f"{name}.npy", Y)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole.replace(b"z.npy", b"x.npy"))
    assert fault(NPZ(path="a.npz"), tmp_path) == "a.npz has two arrays `x`"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("sides", [(2**31, 1, 1), (2**32 - 1, 2**32 - 1, 2**32 - 1)])
def test_headers_of_bytes_that_lie(tmp_path, packed, sides):
    write_idx(tmp_path, packed)
    content = struct.pack(">4B3I", 0, 0, 8, 3, *sides) + b"few"
    name = "train-images-idx3-ubyte" + ".gz" * packed
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    told = fault(IDX(path="."), tmp_path)
    assert told.startswith(f"./{name} ends after 3 bytes, but its header says {'×'.join(map(str, sides))}, ")


def damaged(content, draw):
    """A file with some of its bytes changed, cut off, or doubled."""
    made = bytearray(content)
    for _ in range(draw.integers(1, 6)):
        match draw.integers(4):
            case 0:
                made = made[: draw.integers(len(made) + 1)]
            case 1 if made:
                made[draw.integers(len(made))] = draw.integers(256)
            case 2:
                at = draw.integers(len(made) + 1)
                made[at:at] = draw.bytes(draw.integers(1, 9))
            case 3 if made:
                at = draw.integers(len(made))
                made[at : at + 4] = struct.pack("<I", draw.integers(2**32))
    return bytes(made)


def written(folder, kind):
    """A small data set of a kind, and its files."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    match kind:
        case "npz":
            np.savez_compressed(folder / "a.npz", x=draw.normal(size=(6, 2)), y=[0, 1] * 3)
            return NPZ(path=f"{folder.name}/a.npz")
        case "npy":
            np.save(folder / "x.npy", draw.normal(size=(6, 2)))
            np.save(folder / "y.npy", np.array([0, 1] * 3))
            return NPZ(path=folder.name)
        case "idx":
            write_idx(folder, packed=True)
            return IDX(path=folder.name)
        case "cifar":
            write_cifar(folder, 10)
            return CIFAR(path=folder.name)
        case "csv":
            (folder / "a.csv").write_text("x,y\n1,2\n3,4\n")
            return CSV(path=f"{folder.name}/a.csv", target="y")
        case "pairs":
            (folder / "a.tsv").write_text("a b\tc\nd\te f\n")
            return Pairs(path=f"{folder.name}/a.tsv")
        case _:
            for name in "ab":
                (folder / name).mkdir()
                picture = Image.fromarray(draw.integers(0, 256, (8, 8, 3), np.uint8))
                picture.save(folder / name / f"1.{kind}")
            return Images(path=folder.name, size=4)


def told_of(data_set, folder):
    """What is said of a data set; ``None`` where it can be read."""
    try:
        assert len(read(data_set, folder).train)
    except DataFault as found:
        return found.message
    return None


@pytest.mark.parametrize(
    "kind", ["npz", "npy", "idx", "cifar", "csv", "pairs", "png", "jpg", "bmp", "gif", "webp", "tif", "ppm"]
)
@pytest.mark.filterwarnings("ignore")  # of those that decode what is left of a picture
def test_damaged_files_are_read_or_told(tmp_path, kind):
    data_set = written(tmp_path / "it", kind)
    files = sorted(each for each in (tmp_path / "it").rglob("*") if each.is_file())
    draw = np.random.default_rng(1)
    for _ in range(25 * MANY):
        path = files[draw.integers(len(files))]
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, draw))
        message = told_of(data_set, tmp_path)
        assert message is None or message.isprintable()  # on one line, too
        path.write_bytes(whole)
    assert isinstance(read(data_set, tmp_path).train.take(torch.tensor([0])), dict)
