"""The form of a decoder that reads one word after another: what it has seen comes in, what it keeps goes out.

It is a transform of the one graph, so that table, source, ONNX and diagram of it come as of any other. ``courses`` says
how a value runs along the words, ``split`` writes a level anew in two ``halves``, by ``making`` (attention),
``pairs`` (masks and biases by distance) and ``windows`` (convolutions), ``form`` makes the two graphs.
"""

from netspec.cached.form import CachedForm, CachedState, cached_form

__all__ = ["CachedForm", "CachedState", "cached_form"]
