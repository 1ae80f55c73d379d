"""The standard blocks among the levels of a network: a level that is one is written as a call of it."""

from netspec.importer.standard.calls import recognise

__all__ = ["recognise"]
