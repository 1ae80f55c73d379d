"""Ops that make tensors, join them, look into them, or give them another shape."""
