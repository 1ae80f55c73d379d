"""ONNX, written from the graph rather than traced."""
