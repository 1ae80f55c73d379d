"""From a foreign network to a ``Program``: a module by ``torch.export``, or an ONNX file by its nodes."""
