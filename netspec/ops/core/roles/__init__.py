"""The roles that an op plays, a base class each: what it says of its shapes, its memory, its PyTorch, its ONNX."""
