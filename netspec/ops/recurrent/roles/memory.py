"""The memory of recurrent layers."""

from netspec.ops.core.layout import NEW, OutputLayout, folds, shortened
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.tensors import Tensor
from netspec.ops.recurrent.roles.shapes import RecurrentShapes


class RecurrentMemory(RecurrentShapes):
    """Tensors that autograd saves, and temporary ones, as torch runs the layers step by step on a CPU."""

    def saved(self, run: OpRun) -> Saved:
        """As torch does it step by step; the kernels of cuDNN and oneDNN keep the same in a block of their own."""
        x = run.inputs[0]
        batch, length = x.shape[:2] if self.batch_first else (x.shape[1], x.shape[0])
        runs = self.num_layers * self.directions
        states = [Tensor(shape, run.outputs[0].dtype) for shape in self.state_shapes(batch).values()]
        between = [Tensor((length, batch, self.output_size * self.directions), x.dtype)] * (self.num_layers - 1)
        tensors = [*between, *between] if self.dropout else between  # what goes from layer to layer, and masks
        tensors += [Tensor((runs, length, batch, self.saved_per_step), x.dtype)]
        tensors += [Tensor((runs, length - 1, batch, state.shape[-1]), state.dtype) for state in states]
        inputs: tuple[int, ...] = ()
        if run.inputs[-1] is not None:  # packed, with lengths and orders
            tensors += [x, *(Tensor((size,), "int64") for size in (length, batch, batch))]
        elif folds(x.shape, run.strides[0], self.batch_first):
            inputs = (0,)
        else:
            tensors += [x] * self.directions
        if run.inputs[1] is None:
            return Saved(inputs, made=(*tensors, *states))
        return Saved((*inputs, *range(1, 1 + len(states))), made=tuple(tensors))

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return what torch has on CPU: the input's products for all iterations, again as the bias is added, or beside
        them the iterations' results before they are stacked.
        """
        places, width = run.outputs[0].shape[:-1], self.output_size * self.directions
        products = self.gates * self.hidden_size
        more = max(width, products - width if self.bias else 0)
        return (*self.passed_on(run), *(Tensor((*places, size), run.outputs[0].dtype) for size in (products, more)))

    def forward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return what torch has on CPU as it goes step by step: the input's products, and the results of both ways."""
        if not run.on_cpu:
            return ()
        places, dtype = run.outputs[0].shape[:-1], run.outputs[0].dtype
        sides = self.output_size * self.directions if self.bidirectional else 0
        return (*self.passed_on(run), Tensor((*places, self.gates * self.hidden_size + sides), dtype))

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the gradients of the parameters of one step, before they are added to those of the others."""
        shapes = self.parameters(*run.inputs).values()
        return tuple(Tensor(shape, run.inputs[0].dtype) for shape in shapes) if run.on_cpu else ()

    def passed_on(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the tensors that go from layer to layer, and those that are packed and unpacked."""
        between = (run.outputs[0],) if self.num_layers > 1 else ()
        packed = () if run.inputs[-1] is None else (run.inputs[0], run.outputs[0])
        return (*between, *packed)

    @property
    def saved_per_step(self) -> int:
        """The number of elements that a step of one layer saves of each sample, besides the states that it is given."""
        raise AssertionError("each kind of layer keeps something else")

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """The output is made as [T, N, H]."""
        others = (NEW,) * (len(run.outputs) - 1)
        if not self.batch_first:
            return (NEW, *others)
        batch, _, width = run.outputs[0].shape
        return (OutputLayout(None, shortened(run.outputs[0].shape, (width, batch * width, 1))), *others)
