"""Modules that the backward pass runs again: the functions that the source brings along where there are any."""

STANDARD = "from contextlib import contextmanager, nullcontext"
CHECKPOINT = "from torch.utils.checkpoint import checkpoint"

RECOMPUTE = '''def recompute(module, *inputs):
    """Run a module; in training only its inputs are kept, and the backward pass runs it again, as it was."""
    if not module.training:
        return module(*inputs)
    if torch.compiler.is_compiling():  # a compiled module changes its buffers once
        return checkpoint(module, *inputs, use_reentrant=False)
    return checkpoint(
        module, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), buffers_as_they_are(module))
    )


@contextmanager
def buffers_as_they_are(module):
    """Let a module change copies of its buffers: its batch norms have counted the batch before."""
    owners = [(each._buffers, name) for each in module.modules() for name in each._buffers]
    kept = [buffers[name] for buffers, name in owners]
    for (buffers, name), buffer in zip(owners, kept):
        buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for (buffers, name), buffer in zip(owners, kept):
            buffers[name] = buffer'''
"""The function that runs such a module, and what it needs."""
