"""The forms of steps: one file a structure, with its form, its documentation and the function that elaborates it.

A file in this folder is all that a structure needs. Its form is a subclass of ``Structure``, with the word that starts
it, its keys, what each holds and a text on each; ``@elaborates`` enters its function into the table that the context
dispatches by. The function takes the context, the frame (the level that its nodes go to), the step, the value before
it and the name that its place gives it; it returns the step's value, or raises. It runs what stands inside it through
the context, and imports no other structure.
"""

from __future__ import annotations

import os
from importlib import import_module

from netspec.spec.steps import STRUCTURES

__all__ = ["STRUCTURES"]

for file in sorted(os.listdir(os.path.dirname(__file__))):
    if file.endswith(".py") and file != "__init__.py":
        import_module(f"{__name__}.{file.removesuffix('.py')}")
