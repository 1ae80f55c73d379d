"""Ops on boxes and at places that other tensors name, as torchvision has them: torchvision runs them."""
