"""From a foreign network to a ``ForeignProgram``: a module by ``torch.export``, or an ONNX file by its nodes."""
