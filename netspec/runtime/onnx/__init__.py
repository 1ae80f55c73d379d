"""The ONNX file as it is run: written with weights, verified on onnxruntime against PyTorch, and told of."""
