"""Decoders at work: steps of the cached form on PyTorch or onnxruntime, and the words that are chosen from scores."""
