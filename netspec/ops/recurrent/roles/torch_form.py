"""The PyTorch of recurrent layers, with sequences packed where they have lengths."""

from collections.abc import Sequence

from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import Tensor
from netspec.ops.recurrent.roles.shapes import RecurrentShapes


class RecurrentTorch(RecurrentShapes):
    """The module, and the lines of ``forward`` that run it."""

    def module(self, *inputs: Tensor | None) -> Constructor:
        assert self.torch is not None
        keywords = {name: value for name, value in self.changed().items() if name != "hidden_size"}
        sizes = {"input_size": self.features(self.given(inputs)["input"].shape), "hidden_size": self.hidden_size}
        return Constructor(self.torch, sizes, keywords)

    def statements(self, forward: ForwardCall) -> list[str]:
        """``x, (h_n, _) = self.encoder(x)``; a batch with lengths is packed before and padded after."""
        x, *states, lengths = forward.arguments
        output, *finals, last = forward.targets
        if last is not None and finals[0] is None:
            finals[0] = last if not self.bidirectional and last not in forward.arguments else forward.fresh("h_n")
        carried = pair(states) if states[0] is not None else ""
        received = pair(finals) if any(finals) else "_"
        lines = []
        if lengths is None:
            read = ", ".join(text for text in (x, carried) if text)
            lines.append(f"{output or '_'}, {received} = {forward.module}({read})")
        else:
            packed, total = forward.fresh("packed"), forward.fresh("length")
            first = "batch_first=True, " if self.batch_first else ""
            cpu = f"{lengths}.cpu()"
            read = ", ".join(text for text in (packed, carried) if text)
            if output is not None:
                lines.append(f"{total} = {x}.size({1 if self.batch_first else 0})")
            lines.append(
                f"{packed} = nn.utils.rnn.pack_padded_sequence({x}, {cpu}, {first}enforce_sorted=False)",
            )
            lines.append(f"{packed if output else '_'}, {received} = {forward.module}({read})")
            if output is not None:
                unpack = f"nn.utils.rnn.pad_packed_sequence({packed}, {first}total_length={total})"
                lines.append(f"{output}, _ = {unpack}")
        if last is not None:
            h_n = finals[0]
            lines.append(
                f"{last} = torch.cat(({h_n}[-2], {h_n}[-1]), dim=1)" if self.bidirectional else f"{last} = {h_n}[-1]"
            )
        return lines


def pair(names: Sequence[str | None]) -> str:
    """Names as torch takes and gives states: one alone, two in brackets."""
    texts = [name or "_" for name in names]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
