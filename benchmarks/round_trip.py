"""The zoo there and back: a module or an ONNX file of each entry, imported, is its graph again, in as few lines.

    python benchmarks/round_trip.py                    # all forms of all families, from their modules
    python benchmarks/round_trip.py --onnx             # from their ONNX files
    python benchmarks/round_trip.py resnet vit --text  # some of them, with the texts

The table says of each entry whether its graph came back, or else the first difference, and how many lines its text has
of those of the file that it is from, without what an import cannot know. Needs the `test` extra.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

LENGTH = 1.5
"""The largest ratio of a text's lines to those of the file."""


def main() -> int:
    """Print the table; return 1 if an entry differs or is too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="zoo entries or variants; default: all")
    parser.add_argument("--onnx", action="store_true", help="from ONNX files in place of modules")
    parser.add_argument("--text", action="store_true", help="print each text too")
    options = parser.parse_args()
    from zoo.networks import FORMS

    rows = [row_of(name, options.onnx, options.text) for name in options.entries or FORMS]
    print(f"{sum(rows)} of {len(rows)} come back, in at most {LENGTH} times the lines")
    return 0 if all(rows) else 1


def row_of(name: str, onnx: bool, text: bool) -> bool:
    """Print an entry's row; return whether it is equal and short."""
    from importer.round_trip import file_and_back, lines_of, lines_of_zoo, module_and_back, parting, smaller

    started, model = time.process_time(), smaller(name)
    try:
        with tempfile.TemporaryDirectory() as folder:
            spec = file_and_back(model, Path(folder)) if onnx else module_and_back(model)
    except Exception as reason:  # whatever it is, it is the row's
        told = str(reason).strip().splitlines() or [""]
        print(f"{name:24} —  {type(reason).__name__}: {' '.join(line.strip() for line in told[:3])[:300]}", flush=True)
        return False
    if text:
        print(spec.text)
    where, lines, before = parting(model.graph, spec.model.graph), lines_of(spec.text), lines_of_zoo(name)
    length = f"{lines:3} : {before:3} = {lines / before:4.2f}"
    print(f"{name:24} {length}  {time.process_time() - started:4.0f} s  {where or 'equal'}", flush=True)
    return not where and lines <= LENGTH * before


if __name__ == "__main__":
    sys.exit(main())
