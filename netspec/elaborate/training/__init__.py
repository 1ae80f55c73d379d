"""The training of a network: what ``train:`` says, read and held against the graph."""
