"""From a graph to a running ``nn.Module``, and the checks that need one. Everything here imports torch."""
