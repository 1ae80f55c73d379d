"""Every word of the language: what it means, what it takes, how it is written, where it is used.

The texts stand beside what they describe: docstrings of classes, a line below each field. ``netspec help``, the JSON
Schema and the language server are made of them. ``registry`` finds a word, ``sources`` reads the arguments of each kind
of word, ``examples`` has a spec for each, and ``show`` makes pages of them.
"""
