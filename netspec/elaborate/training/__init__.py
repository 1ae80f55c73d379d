"""How a network is trained: what ``train:`` says, read and held against the graph."""
