"""Memory, in bytes, from the graph alone: what training keeps for the backward pass, and the peaks.

    memory = Memory(graph)
    memory.total_kept                       # what autograd keeps of one forward pass in training
    memory.kept("layer1.0.conv1")           # of that, what this step, or this level with all that is in it, keeps
    memory.inference_peak                   # weights, inputs, and the most that is alive at once
    memory.training_peak("adam", "mixed")   # weights, gradients, the optimizer's state, what is kept, and more

Each is a symbolic size in bytes (``4·N + 8``); ``dims.evaluate(size, graph.sizes)`` is its number. Where several
moments could be the peak, the formula is that of the largest at ``sizes``.

*Kept* is what ``torch.autograd.graph.saved_tensors_hooks`` sees, each piece of memory once: parameters and buffers are
left out, a network's input counts where a step keeps it, a view counts as what it looks at, and what several steps keep
counts for the first of them. Dropout keeps the mask of CUDA, a byte an element (on CPU it is four). In a scan, what a
iteration keeps counts once for each iteration. Recurrent layers count what torch keeps step by step; the kernels of
cuDNN and oneDNN keep about as much in a block of their own. Inputs that may be left out are there, unless ``without``
names them.

*Peaks* count tensors, not what an allocator adds, nor the workspace inside a kernel. In inference a tensor lives from
the step that makes it to the last that reads it, and the inputs of a block as long as the block runs; an op of many
steps says what it has at once on its way (``Op.workspace``), recurrent layers as torch runs them on CPU. In training
the peak is where the backward pass starts: all that is kept, gradients for all parameters that are trained, and the
gradients of one step's inputs and outputs. What is frozen has neither gradients nor state, and keeps less; recurrent
layers keep as much, as the kernels of cuDNN do. Statistics that norms track are left out (a few numbers a channel).

Optimizers: ``sgd`` keeps nothing, ``momentum`` a number for each parameter, ``adam`` and ``adamw`` two. Precisions:
``float32``; ``mixed``, bfloat16 by autocast as on CUDA, with weights, gradients and state in float32; ``bfloat16``,
everything in it.
"""

from netspec.analysis.memory.memory import Memory
from netspec.analysis.memory.precision import OPTIMIZERS, PRECISIONS

__all__ = ["OPTIMIZERS", "PRECISIONS", "Memory"]
