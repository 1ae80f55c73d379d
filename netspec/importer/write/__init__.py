"""From phrases to the text of a spec: names, references, arguments, and the layout of YAML."""

from netspec.importer.write.document import write

__all__ = ["write"]
