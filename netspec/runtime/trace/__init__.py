"""Layer by layer, where two networks part: PyTorch on one side, on the other what gives values of its layers."""
