"""A network as one of Hugging Face's: its settings, and what each of its weights is called there.

``normal`` has a graph as the nodes that run, ``forms`` the networks of theirs that a graph can be, each by a spec of
the zoo, ``matching`` holds a graph against one of them, node by node, and ``standing`` chooses.
"""
