"""How tables are written: marks in numbers, formats of dates, spellings of gaps; found by column, or said by a key."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from train.data.reading import fault, read

from netspec.recipes.data.files import CSV, Parquet
from netspec.recipes.data.table_column import columns_from
from netspec.train.data.meaning import meaning_of
from netspec.train.data.readers.tables.dates import CLOCKS, FORMATS, formats_of, when_of
from netspec.train.data.readers.tables.form import number_of, thousands_in
from netspec.train.data.readers.tables.read import read_csv


def table(folder: Path, text: str, **keys: Any) -> CSV:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    return CSV(path="a.csv", target="y", **keys)


def features(folder: Path, text: str, **keys: Any) -> list[list[float]]:
    rows: list[list[float]] = read(table(folder, text, **keys), folder).train.tensors["features"].tolist()  # type: ignore[attr-defined]
    return rows


@pytest.mark.parametrize(
    ("text", "keys", "found"),
    [
        ("x;y\n1.234,5;1\n-7;2\n", {"decimal": ","}, [1234.5, -7]),
        ("x;y\n1.234.567;1\n1.234;2\n0,5;3\n", {"decimal": ","}, [1234567, 1234, 0.5]),
        ('x,y\n"1,234.5",1\n"12,345",2\n', {}, [1234.5, 12345]),
        ('x,y\n"12,345",1\n999,2\n', {"thousands": ","}, [12345, 999]),
        ("x;y\n1.234;1\n999;2\n", {"decimal": ",", "thousands": "."}, [1234, 999]),
        ("x;y\n1\u00a0234,5;1\n\u22127 654 321;2\n", {"decimal": ","}, [1234.5, -7654321]),
        ("x;y\n1'234.5;1\n+1\u2019234'567;2\n", {}, [1234.5, 1234567]),
    ],
)
def test_marks_between_thousands(tmp_path: Path, text: str, keys: dict[str, Any], found: list[float]) -> None:
    assert features(tmp_path, text, **keys) == [[number] for number in found]
    swapped = text.replace("x", "z").replace("y", "x").replace("z", "y")
    data = read(table(tmp_path, swapped, **keys), tmp_path)
    assert data.train.tensors["y"].tolist() == found  # type: ignore[attr-defined]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.sampled_from([(".", ","), (",", "."), (".", "'")]))
def test_python_groups_thousands_as_they_are_read(numbers: list[int], marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    turned = str.maketrans({",": thousands, ".": decimal})
    texts = [f"{number / 8:,}".translate(turned) for number in numbers]
    assert [number_of(text, decimal, thousands) for text in texts] == [number / 8 for number in numbers]
    assert thousands_in(texts, decimal) == (thousands if any(thousands in text for text in texts) else None)


@pytest.mark.parametrize(
    ("text", "keys", "told"),
    [
        ('x,y\n"12,345",1\n', {},
         "`12,345`, but a number is expected\n`thousands: ','` takes the `,` for a mark between thousands, "
         "`decimal: ','` for the one before the decimals"),
        ("x;y\n1.234;1\n", {"decimal": ","},
         "`1.234`, but a number is expected\n`thousands: '.'` takes the `.` for a mark between thousands, "
         "`decimal: '.'` for the one before the decimals"),
        ("x;y\n1.234,5;1\n", {},
         "`1.234,5`, but a number is expected\nwhere `,` stands before the decimals, say `decimal: ','`"),
        ("x;y\n12.5;1\n", {"decimal": ","},
         "`12.5`, but a number is expected\nwhere `.` stands before the decimals, say `decimal: '.'`"),
        ("x;y\n1.234,5;1\n1.2;2\n", {"decimal": ",", "thousands": "."},
         "`1.2`, but a number is expected\nwhere `.` stands before the decimals, say `decimal: '.'`"),
        ("x;y\n1.234,5;1\nk.A.;2\n", {"decimal": ","},
         "`k.A.`, but a number is expected\n`categories: one_hot`, or `ids`, takes words; `leave_out: [x]` does "
         "without"),
        ("x;y\n1.234,5;1\nk.A.;2\n1;3\n", {"decimal": ","},
         "`k.A.`, but a number is expected\n`na_values` names what stands for a gap, which `missing: fill` fills; "
         "`categorical: [x]` takes all values as words"),
        ("x;y\n1,23,456;1\n", {},
         "`1,23,456`, but a number is expected\nwrite it with `.` before its decimals, and no mark between its digits"),
        ("x,y\n$12,1\n", {}, "`$12`, but a number is expected\nwrite amounts without their currency"),
        ("x,y\n?,1\n2,1\n3,1\n", {},
         "`?`, but a number is expected\n`na_values` names what stands for a gap, which `missing: fill` fills; "
         "`categorical: [x]` takes all values as words"),
        ("x,y\n27.01.22,1\n", {},
         "`27.01.22`, but a number is expected\n`date_parts: true` with a `date_format` such as `%d.%m.%y` reads dates "
         "whose year has two digits"),
        ("x,y\n27.01.2022,1\n", {},
         "`27.01.2022`, but a number is expected\n`date_parts: true` makes year, month, day and weekday of it"),
    ],
)  # fmt: skip
def test_marks_that_do_not_tell_are_asked_for(tmp_path: Path, text: str, keys: dict[str, Any], told: str) -> None:
    assert fault(table(tmp_path, text, **keys), tmp_path).partition("`x` is ")[2] == told


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("27.01.2022", "1.2.2022"), ("27/01/2022", "01/02/2022"), ("01/27/2022", "02/01/2022"),
        ("2022/01/27", "2022/02/01"), ("27-01-2022", "2022-02-01"), ("27 Jan 2022", "1 Feb 2022"),
        ("January 27, 2022", "February 1, 2022"), ("27-May-2022", "01-Feb-2022"),
    ],
)  # fmt: skip
def test_dates_of_other_formats(tmp_path: Path, first: str, second: str) -> None:
    month = 5 if "May" in first else 1
    text = f'x,y\n"{first}",1\n"{second}",2\n'
    weekdays = [datetime(2022, month, 27).weekday(), datetime(2022, 2, 1).weekday()]
    found = [[2022, month, 27, weekdays[0]], [2022, 2, 1, weekdays[1]]]
    assert features(tmp_path, text, date_parts=True) == found
    timed = f'x,y\n"{first} 07:30",1\n"{second} 9:05 PM",2\n'
    assert features(tmp_path, timed, date_parts=True) == [[*found[0], 7], [*found[1], 21]]


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(lambda when: when.replace(microsecond=0)),
    st.sampled_from([each for formats in FORMATS.values() for each in formats]),
    st.sampled_from(CLOCKS),
)
def test_every_format_comes_back(when: datetime, format: str, clock: str) -> None:
    text = when.strftime(f"{format} {clock}")
    assert when_of(text, format) == (when if "S" in clock else when.replace(second=0))
    formats = formats_of([text])
    told = when.day > 12 or when.day == when.month or format not in ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
    assert {when_of(text, each) for each in formats} == {when_of(text, format)} or not told


def test_dates_that_do_not_tell_are_asked_for(tmp_path: Path) -> None:
    text = "x,y\n01/02/2022,1\n03/04/2022,2\n"
    told = fault(table(tmp_path, text, date_parts=True), tmp_path)
    assert told == (
        "a.csv: `x` has dates such as `01/02/2022`, whose first number may be day or month\n"
        "`date_format: '%d/%m/%Y'` takes it for the day, `'%m/%d/%Y'` for the month"
    )
    for format, month, day in (("%d/%m/%Y", 2, 1), ("%m/%d/%Y", 1, 2)):
        assert features(tmp_path, text, date_parts=True, date_format=format)[0][1:3] == [month, day]
        assert features(tmp_path, text, date_parts=True, date_format={"x": format})[0][1:3] == [month, day]
    numbers = "x,z,y\n20220127,19991231,1\n"
    assert features(tmp_path, numbers, date_parts=True, date_format={"x": "%Y%m%d"}) == [[2022, 1, 27, 3, 19991231]]
    told = fault(table(tmp_path, numbers, date_parts=True, date_format="%Y%m%d"), tmp_path)
    assert told == "a.csv: no column has dates of the format `%Y%m%d` alone"
    told = fault(table(tmp_path, text, date_parts=True, date_format={"x": "%d.%m.%Y"}), tmp_path)
    assert told == "a.csv, line 2: `x` is `01/02/2022`, but a date such as 31.05.2024 is expected"
    told = fault(table(tmp_path, text, date_parts=True, date_format={"z": "%d.%m.%Y"}), tmp_path)
    assert told == "`date_format` names `z`, which is no feature\nfeatures are `x`"


@pytest.mark.parametrize("value", ["?", "-999", "-999.0", "not known"])
def test_gaps_of_other_spellings(tmp_path: Path, value: str) -> None:
    keys: dict[str, Any] = {"na_values": ["?", -999, "not known"], "missing": "fill"}
    assert features(tmp_path, f"x,y\n{value},1\n2,2\n4,3\n", **keys) == [[3], [2], [4]]


def test_gaps_of_a_parquet_file(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = arrow.table({"x": [-999.0, 2.0], "when": ["27.01.2022", "?"], "y": [1.0, 2.0]})
    parquet.write_table(rows, tmp_path / "a.parquet")
    keys: dict[str, Any] = {"na_values": [-999, "?"], "missing": "fill", "date_parts": True}
    data = read(Parquet(path="a.parquet", target="y", **keys), tmp_path)
    assert data.train.tensors["features"].tolist() == [[2, 2022, 1, 27, 3]] * 2  # type: ignore[attr-defined]


def test_other_tables_are_written_as_the_training_rows(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"decimal": ",", "date_parts": True}
    data = read(table(tmp_path, "x;when;y\n1.234,5;27/01/2022;1\n", **keys), tmp_path)
    assert data.notes == (
        "`x` with `.` between thousands",
        "`when` as year, month, day, weekday, of dates like 31/05/2024",
    )
    known = meaning_of(data)
    assert columns_from(json.loads(json.dumps([asdict(column) for column in known.table]))) == known.table
    other = read_csv(table(tmp_path, "x;when;y\n1.234;01/02/2022;1\n", **keys), tmp_path, known)
    assert other.train.tensors["features"].tolist() == [[1234, 2022, 2, 1, 1]]  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="`when` is `02/13/2022`, but a date such as 31/05/2024 is expected"):
        read_csv(table(tmp_path, "x;when;y\n1;02/13/2022;1\n", **keys), tmp_path, known)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"thousands": "."}, "`thousands` is the mark before the decimals, too: `decimal: ','`"),
        ({"date_format": "%d.%m.%Y"}, "`date_format` is for dates, which `date_parts: true` makes features of"),
        ({"date_parts": True, "date_format": "%d.%m"}, "a format of year, month and day, such as `%d.%m.%Y`"),
        ({"date_parts": True, "date_format": "dd.mm.yyyy"}, "a format of year, month and day, such as `%d.%m.%Y`"),
        ({"encoding": "windows"}, "an encoding of text that Python knows, such as `latin-1`"),
        ({"encoding": "base64"}, "an encoding of text that Python knows, such as `latin-1`"),
    ],
)
def test_keys_that_cannot_be(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CSV(path="a.csv", target="y", **keys)
    assert told in str(caught.value)
