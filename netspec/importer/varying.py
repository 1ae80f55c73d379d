"""The parameters of a spec that is imported: only those that may have another value."""

from __future__ import annotations

from netspec.diagnostics import Source, SpecError
from netspec.importer.fold.family import forget
from netspec.importer.write import write
from netspec.importer.write.phrases import SpecPhrase
from netspec.pipeline import compile_loaded, load_source


def keep_what_varies(spec: SpecPhrase) -> None:
    """Write the number in place of each parameter that no other value than its own may have.

    A width that is doubled must give a network again: if it does not, other numbers belong to it that have no names.
    """
    numbers = {name: value for name, value in spec.params.items() if type(value) is int}
    loaded = load_source(Source(f"{spec.name}.yaml", write(spec))) if numbers else None
    for name, value in numbers.items():
        assert loaded is not None
        try:
            compile_loaded(loaded, overrides={name: 2 * value})
        except SpecError:
            forget(spec, name)
