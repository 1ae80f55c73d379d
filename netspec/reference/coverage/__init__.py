"""The callables of torch and what stands for each in a spec: ``netspec ops --torch`` and ``docs/reference/torch.md``.

An op's class says what it does (``torch``, ``functional``, ``covers``). ``names`` has all that there is in
torch, ``compositions`` what is written with other words, ``left_out`` what is not, with reasons; ``table`` puts them
together.
"""
