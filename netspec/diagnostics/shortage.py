"""The many ways in which libraries tell that there is not enough memory."""

from __future__ import annotations

import errno

LIBRARIES = ("builtins.RuntimeError", "builtins.ValueError", "torch.", "onnx", "google.", "numpy")
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "Failed to allocate",
    "Cannot allocate memory",
    "Unable to allocate",
    "bad allocation",
    "ALLOC_FAILED",
    "array is too big",
    "Maximum allowed dimension exceeded",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
)


def is_short_of_memory(found: BaseException) -> bool:
    """Return whether an exception says that memory did not suffice; some have no name for it but in their text."""
    if isinstance(found, MemoryError) or (isinstance(found, OSError) and found.errno == errno.ENOMEM):
        return True
    return is_of_library(found) and any(word in str(found) for word in NO_MEMORY)


def is_of_library(found: BaseException) -> bool:
    """Return whether an exception may come from a library that computes."""
    return f"{type(found).__module__}.{type(found).__name__}".startswith(LIBRARIES)
