"""Answers of an ONNX file that takes raw rows, as ``export --with-prepare`` writes it, without its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.runtime.onnx.session import loaded_runtime, open_session
from netspec.train.data.readers.decoder import Decoder
from netspec.train.data.readers.tables.features import TableFeatures, raw_values
from netspec.train.data.readers.tables.raw import RawTable
from netspec.train.predict.answers import BATCH, Answer, class_names, digits, likeliest
from netspec.train.predict.inputs import InputReader, PredictInputs
from netspec.train.predict.raw_ends import is_channels_last
from netspec.train.store.metadata import meaning_from


class RawReader(InputReader):
    """Reads arguments as a file takes them: images in their own size, columns of tables as they are."""

    kinds: Mapping[str, str]

    def image(self, path: Path) -> PredictInputs:
        """Return an image as bytes, [1, H, W, 3], or [1, H, W] if it is read in grey."""
        name, _ = self.only(path, "an image", 3)
        if self.kinds.get(name) != "image":
            raise UsageError(f"{path} is an image, but the file takes `{name}` as an array")
        decoder = Decoder(Path(), self.grey(name), None, self.background)
        pixels = decoder(path)
        self.tell_transparency(path, decoder.is_transparent(path))
        return PredictInputs([str(path)], {name: self.as_come(path, name, torch.from_numpy(pixels)[None])})

    def typed(self, path: Path, name: str, array: np.ndarray) -> Tensor:
        """Return an array as rows of a column, [n, …], bytes if the file takes such."""
        rows = super().typed(path, name, array)
        if self.kinds.get(name) == "image":
            first = not is_channels_last(self.columns[name])
            return self.as_come(path, name, rows if first else rows.permute(0, 3, 1, 2))
        if self.kinds.get(name) == "bytes":
            self.guard_bytes(path, rows)
        return rows

    def grey(self, name: str) -> bool:
        """Return whether the images of a column have one channel."""
        return 1 in (self.columns[name].shape[0], self.columns[name].shape[-1])

    def as_come(self, path: Path, name: str, images: Tensor) -> Tensor:
        """Return images, [n, C, H, W], as the file takes them."""
        self.guard_bytes(path, images)
        return images[:, 0] if self.grey(name) else images.permute(0, 2, 3, 1).contiguous()

    def guard_bytes(self, path: Path, rows: Tensor) -> None:
        """Guard: rows are bytes."""
        if rows.dtype != torch.uint8:
            raise UsageError(f"{path} holds more than bytes, which is what the file takes: save it with 8 bits")

    def columns_of(self, table: RawTable, made: TableFeatures) -> Mapping[str, Any]:
        """Return the columns of a table as they are."""
        if not self.meaning.table:
            return super().columns_of(table, made)
        return {each.name: raw_values(table, each) for each in self.meaning.table}


class RawFile:
    """An ONNX file that takes raw rows; it answers as ``Predictor`` does, with the same ``keep`` and ``warn``."""

    def __init__(self, path: Path, keep: Sequence[str] = (), warn: Callable[[str], None] = print):
        if not path.is_file():
            raise EnvironmentFault(f"there is no file {path}")
        self.path, self.session = path, _opened(path)
        said = self.session.get_modelmeta().custom_metadata_map
        if "netspec.raw" not in said:
            raise UsageError(f"{path} takes no raw rows: `netspec export RUN --with-prepare` writes a file that does")
        raw, meaning = json.loads(said["netspec.raw"]), meaning_from(json.loads(said["netspec.data"]), path)
        self.inputs: Mapping[str, Any] = raw["inputs"]
        self.outputs = [each.name for each in self.session.get_outputs()]
        main = next(iter(raw["answers"].values()))["of"]
        self.answered = {each["kind"]: (name, each) for name, each in raw["answers"].items() if each["of"] == main}
        read = [*dict.fromkeys(json.loads(said["netspec.inputs"]).values())]
        text = next((name for name in read if name in meaning.words), None)
        self.reader = RawReader(meaning, read, text, keep, warn, raw["settings"])
        self.reader.kinds = {each["column"]: each["kind"] for each in self.inputs.values()}
        (target,) = {each["target"] for _, each in self.answered.values()}
        self.targets = meaning.names.get(target, (target,))
        if meaning.columns[target].shifted in read:
            raise UsageError(f"{path} writes texts word by word: `netspec predict RUN` does that, with the run itself")

    def answers(self, argument: str) -> Iterator[Answer]:
        """Yield the answer for each row of a file, or for a text. Raises ``UsageError`` for inputs of another kind."""
        for inputs in self.reader.read_argument(argument):
            for start in range(0, len(inputs.names), BATCH):
                yield from self.of_rows(inputs, slice(start, start + BATCH))

    def of_rows(self, inputs: PredictInputs, part: slice) -> Iterator[Answer]:
        """Yield the answers for some rows."""
        self.guard_sizes(inputs)
        made = self.run({name: np.asarray(rows)[part] for name, rows in inputs.rows.items()})
        for number, name in enumerate(inputs.names[part]):
            kept = {column: values[part][number] for column, values in inputs.kept.items()}
            yield self.answer(name, {kind: rows[number] for kind, rows in made.items()}, kept)

    def guard_sizes(self, inputs: PredictInputs) -> None:
        """Guard: images are in the size of a file that does not resize them."""
        for given in self.session.get_inputs():
            rows = inputs.rows[self.inputs[given.name]["column"]]
            if self.inputs[given.name]["kind"] == "image" and isinstance(given.shape[1], int):
                (height, width), (high, wide) = given.shape[1:3], rows.shape[1:3]
                if (height, width) != (high, wide):
                    told = f"{inputs.names[0]} is {high}×{wide}, but {self.path} takes images of {height}×{width}"
                    raise UsageError(f"{told}: resize it, or export with `--opset 18`, which resizes it")

    def run(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers for rows by column, [n, …] each, by their kinds."""
        try:
            made = self.session.run(None, {name: rows[each["column"]] for name, each in self.inputs.items()})
        except Exception as fault:  # onnxruntime's own kinds of errors are not public
            raise UsageError(f"{self.path} does not take these rows: {str(fault).splitlines()[0]}") from None
        by_name = dict(zip(self.outputs, made))
        return {kind: by_name[name] for kind, (name, _) in self.answered.items()}

    def answer(self, name: str, row: Mapping[str, Any], kept: Mapping[str, Any]) -> Answer:
        """Return the answer that the outputs for one row stand for."""
        words = next(iter(self.answered.values()))[1]["classes"]
        if "probabilities" in row:
            shares = torch.from_numpy(np.array(row["probabilities"]))
            return Answer(name, likeliest(name, shares, class_names(words, len(shares))).probabilities, kept=kept)
        if "classes" in row:
            return Answer(name, classes=row["classes"].tolist(), kept=kept)
        values = digits(torch.as_tensor(np.squeeze(row["values"])))
        if "label" not in row:
            return Answer(name, values=values, targets=self.targets, kept=kept)
        return Answer(name, values=values, label=class_names(words, 2)[int(row["label"])], kept=kept)


def _opened(path: Path) -> Any:
    """A session of a file. Raises ``UsageError`` for what onnxruntime does not take."""
    loaded_runtime()
    try:
        return open_session(path)
    except Exception as fault:  # onnxruntime's own kinds of errors are not public
        raise UsageError(f"{path} is no ONNX file that onnxruntime takes: {str(fault).splitlines()[0]}") from None
