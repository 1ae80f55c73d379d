"""From a network that others wrote to a spec: PyTorch modules, exported programs, ONNX files."""
