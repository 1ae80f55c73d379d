"""The JSON Schema (draft 2020-12) of a spec, for editors: completion, documentation and a first check while typing.

It is made of the words in ``netspec.reference``. It takes whatever ``netspec check`` takes: where a value may be an
expression, it may be any text. What it refuses, ``netspec check`` refuses too.
"""

from netspec.schema.document import schema_text, spec_schema

__all__ = ["schema_text", "spec_schema"]
