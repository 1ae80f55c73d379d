"""Recurrent networks against torch's layers and loops written by hand, with the same weights, at several lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
import torch
import torch._dynamo
from torch import Tensor, nn
from zoo.networks import SEQUENCES, on_meta
from zoo.vision import difference, randomised

import netspec
from netspec.graph import Call, walk
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.probing import probing_copy

LENGTHS = [1, 2, 7, 40]
RECURRENT = [name for name in SEQUENCES if "rnn" in name or "lstm" in name or name in ("gru_lm", "seq2seq")]
SCANS = {"lstm_lm_gates", "rnn_self_attention"} | {f"rnn_attention{form}" for form in ("", "_dates", "_dot", "_tanh")}


def with_weights_of(theirs: nn.Module, name: str) -> nn.Module:
    """Our network with the weights of one that has the same keys."""
    ours = on_meta(name).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    return ours


def tokens(batch: int, length: int, below: int = 28) -> Tensor:
    return torch.randint(below, (batch, length), generator=torch.Generator().manual_seed(length))


class LanguageModel(nn.Module):
    """torch's layer between an embedding and a linear layer."""

    def __init__(self, name: str, layer: type[nn.RNNBase], layers: int = 1):
        super().__init__()
        self.embedding, self.head = nn.Embedding(28, 32), nn.Linear(256, 28)
        self.name = name
        self.add_module(name, layer(32, 256, layers, batch_first=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.get_submodule(self.name)(self.embedding(x))[0])


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("name", "layer"), [("rnn_lm", nn.RNN), ("gru_lm", nn.GRU), ("lstm_lm", nn.LSTM)])
def test_language_models_are_torchs(name: str, layer: type[nn.RNNBase], length: int) -> None:
    theirs = randomised(LanguageModel(name.removesuffix("_lm"), layer)).eval()
    ours = with_weights_of(theirs, name)
    with torch.no_grad():
        assert difference(theirs(tokens(3, length)), ours(tokens(3, length))) < 1e-5


@pytest.mark.parametrize("layers", [1, 3])
def test_the_lstm_written_gate_by_gate_is_torchs(layers: int) -> None:
    theirs = LanguageModel("lstm", nn.LSTM, layers)
    ours = netspec.load("lstm_lm_gates", layers=layers).module()
    torchs = theirs.get_submodule("lstm")
    for layer in range(layers):
        for wire in ("ih", "hh"):
            ours.get_submodule(f"lstm.{layer}.cell.{wire}").load_state_dict(
                {kind: torchs.get_parameter(f"{kind}_{wire}_l{layer}") for kind in ("weight", "bias")}
            )
    for part in ("embedding", "head"):
        ours.get_submodule(part).load_state_dict(theirs.get_submodule(part).state_dict())
    for length in LENGTHS:
        want, got = theirs(tokens(3, length)), ours(tokens(3, length))
        assert difference(want, got) < 1e-6
    want.square().sum().backward(), got.square().sum().backward()
    pairs = [(torchs.weight_ih_l0, "lstm.0.cell.ih.weight"), (theirs.embedding.weight, "embedding.weight")]
    for parameter, key in pairs:
        assert difference(parameter.grad, ours.get_parameter(key).grad) < 1e-5


class Classifier(nn.Module):
    """Each text by itself, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(10_000, 128, padding_idx=0), nn.Linear(512, 2)
        self.encoder = nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True)

    def forward(self, texts: Sequence[Tensor]) -> Tensor:
        finals = [self.encoder(self.embedding(text)[None])[1][0] for text in texts]
        return self.head(torch.cat([torch.cat((h_n[-2], h_n[-1]), 1) for h_n in finals]))


@pytest.fixture
def classifiers() -> tuple[nn.Module, nn.Module]:
    theirs = randomised(Classifier()).eval()
    return theirs, with_weights_of(theirs, "lstm_classifier")


@torch.no_grad()
def test_a_padded_batch_is_classified_as_each_text_by_itself(classifiers: tuple[nn.Module, nn.Module]) -> None:
    theirs, ours = classifiers
    lengths = torch.tensor([3, 9, 1, 5])
    texts = [1 + tokens(1, int(length), 9_999)[0] for length in lengths]
    padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)
    want = theirs(texts)
    assert difference(want, ours(padded, lengths)) < 1e-5
    assert difference(want, ours(padded)) > 1e-3  # the padding is read where no lengths are given


@torch.no_grad()
@pytest.mark.parametrize("name", ["lstm_classifier", "seq2seq"])
@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_left_out_are_full_lengths(name: str, length: int) -> None:
    module = netspec.load(name).module().eval()
    sequences = [tokens(3, length)] * (1 if name == "lstm_classifier" else 2)
    full = torch.full((3,), length)
    without = module(*sequences)
    torch.testing.assert_close(module(*sequences, full), without)
    torch.testing.assert_close(module(*sequences, None), without)
    if length > 1:
        assert difference(without, module(*sequences, full - 1)) > 1e-3


class Translator(nn.Module):
    """An encoder and a decoder; nothing passes between them but the encoder's last states."""

    def __init__(self) -> None:
        super().__init__()
        self.source_embedding, self.target_embedding = nn.Embedding(4000, 256), nn.Embedding(4000, 256)
        self.encoder = nn.GRU(256, 256, 2, batch_first=True)
        self.decoder = nn.GRU(256, 256, 2, batch_first=True)
        self.head = nn.Linear(256, 4000)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(self.source_embedding(source))
        logits = []
        for word in self.target_embedding(target).unbind(1):
            output, state = self.decoder(word[:, None], state)
            logits.append(self.head(output))
        return torch.cat(logits, 1)


@torch.no_grad()
def test_the_encoder_hands_the_decoder_its_last_states() -> None:
    theirs = randomised(Translator()).eval()
    ours = with_weights_of(theirs, "seq2seq")
    for batch, source, target in ((1, 1, 1), (3, 7, 4), (2, 5, 9)):
        given = tokens(batch, source, 4000), tokens(batch, target, 4000)
        assert difference(theirs(*given), ours(*given)) < 1e-5
    source, target = tokens(2, 7, 4000), tokens(2, 4, 4000)
    lengths = torch.tensor([4, 7])
    alone = theirs(source[:1, :4], target[:1]), theirs(source[1:], target[1:])
    assert difference(torch.cat(alone), ours(source, target, lengths)) < 1e-5


class Attending(nn.Module):
    """A decoder that aligns its state with every state of the encoder, word for word and place for place."""

    def __init__(self, alignment: str, cell: str):
        super().__init__()
        self.source_embedding, self.target_embedding = nn.Embedding(4000, 256), nn.Embedding(4000, 256)
        self.encoder = nn.GRU(256, 256, batch_first=True)
        self.decoder = nn.Module()
        self.decoder.head = nn.Linear(512, 4000)
        if alignment == "additive":
            self.decoder.context = nn.Module()
            self.decoder.context.W_q = nn.Linear(256, 256, bias=False)
            self.decoder.context.W_k = nn.Linear(256, 256, bias=False)
            self.decoder.context.w_v = nn.Linear(256, 1, bias=False)
        if cell == "gru":
            self.decoder.state = nn.GRUCell(512, 256)
        else:
            self.decoder.A = nn.Linear(768, 256)
        self.alignment, self.cell = alignment, cell

    def align(self, h: Tensor, s: Tensor) -> Tensor:
        """How well one state of the encoder goes with the decoder's: a number for each sample."""
        if self.alignment == "dot":
            return (h * s).sum(1) / 256**0.5
        small = self.decoder.context
        return small.w_v(torch.tanh(small.W_k(h) + small.W_q(s)))[:, 0]

    def forward(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        states, last = self.encoder(self.source_embedding(source))
        s, logits, weights = last[0], [], []
        for word in self.target_embedding(target).unbind(1):
            scores = torch.stack([self.align(h, s) for h in states.unbind(1)], 1)
            alpha = scores.exp() / scores.exp().sum(1, keepdim=True)
            context = sum(alpha[:, i, None] * states[:, i] for i in range(states.shape[1]))
            if self.cell == "gru":
                s = self.decoder.state(torch.cat((word, context), 1), s)
            else:
                s = torch.tanh(self.decoder.A(torch.cat((word, s, context), 1)))
            logits.append(self.decoder.head(torch.cat((s, context), 1)))
            weights.append(alpha)
        return {"logits": torch.stack(logits, 1), "weights": torch.stack(weights, 1)}


class SelfAttending(nn.Module):
    """A recurrent network whose state is what it remembers of all its states."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(28, 32)
        self.rnn = nn.Module()
        self.rnn.A, self.rnn.head = nn.Linear(288, 256), nn.Linear(512, 28)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        memory: list[Tensor] = []
        c, logits, weights = torch.zeros(len(x), 256), [], torch.zeros(len(x), x.shape[1], x.shape[1])
        for t, word in enumerate(self.embedding(x).unbind(1)):
            h = torch.tanh(self.rnn.A(torch.cat((word, c), 1)))
            memory.append(h)
            scores = torch.stack([(each * h).sum(1) / 16 for each in memory], 1)
            weights[:, t, : t + 1] = alpha = torch.softmax(scores, 1)
            c = torch.einsum("ni,nid->nd", alpha, torch.stack(memory, 1))
            logits.append(self.rnn.head(torch.cat((h, c), 1)))
        return {"logits": torch.stack(logits, 1), "weights": weights}


def assert_equal_outputs(want: dict[str, Tensor], got: dict[str, Tensor]) -> None:
    assert want.keys() == got.keys()
    for name, tensor in want.items():
        assert difference(tensor, got[name]) < 1e-5, name


def assert_equal_gradients(theirs: nn.Module, ours: nn.Module) -> None:
    """Where both have run backward."""
    for key, parameter in theirs.named_parameters():
        assert difference(parameter.grad, ours.get_parameter(key).grad) < 1e-4, key


@pytest.mark.parametrize(
    ("name", "alignment", "cell"),
    [
        ("rnn_attention", "additive", "gru"),
        ("rnn_attention_dot", "dot", "gru"),
        ("rnn_attention_tanh", "additive", "tanh"),
    ],
)
def test_decoders_attend_as_loops_written_by_hand(name: str, alignment: str, cell: str) -> None:
    theirs = randomised(Attending(alignment, cell))
    ours = with_weights_of(theirs, name)
    for batch, source, target in ((1, 1, 1), (2, 5, 9), (3, 7, 4)):
        given = tokens(batch, source, 4000), tokens(batch, target, 4000)
        want, got = theirs(*given), ours(*given)
        assert_equal_outputs(want, got)
        assert torch.allclose(got["weights"].sum(2), torch.ones(batch, target))
    want["logits"].square().mean().backward(), got["logits"].square().mean().backward()
    assert_equal_gradients(theirs, ours)


@torch.no_grad()
@pytest.mark.parametrize("name", ["rnn_attention", "rnn_attention_dot", "rnn_attention_tanh"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_nobody_looks_at_padding(name: str, bidirectional: bool) -> None:
    module = netspec.load(name, bidirectional=bidirectional).module().eval()
    source, target, lengths = tokens(2, 7, 55), tokens(2, 4, 55), torch.tensor([4, 7])
    padding = torch.arange(7) >= lengths[:, None]
    together = module(source, target, lengths, padding)
    assert not together["weights"].masked_select(padding[:, None].expand(-1, 4, -1)).any()
    for row, length in enumerate(lengths.tolist()):
        alone = module(source[row : row + 1, :length], target[row : row + 1])
        assert difference(alone["logits"], together["logits"][row : row + 1]) < 1e-5
    assert difference(together["logits"][:1], module(source, target)["logits"][:1]) > 1e-3


@torch.no_grad()
def test_an_encoder_from_both_ends_is_as_wide_and_sees_what_follows() -> None:
    module = netspec.load("rnn_attention", bidirectional=True).module().eval()
    states = {}
    module.get_submodule("encoder").register_forward_hook(lambda _, __, made: states.update(output=made[0]))
    source, target = tokens(1, 6), tokens(1, 3)
    other = torch.cat([source[:, :5], (source[:, 5:] + 1) % 55], 1)
    seen = []
    for each in (source, other):
        module(each, target)
        seen.append(states["output"])
    assert seen[0].shape == (1, 6, 256)
    assert torch.equal(seen[0][:, :5, :128], seen[1][:, :5, :128])
    assert difference(seen[0][:, 0, 128:], seen[1][:, 0, 128:]) > 1e-6


def test_self_attention_sees_all_states_so_far() -> None:
    theirs = randomised(SelfAttending())
    ours = with_weights_of(theirs, "rnn_self_attention")
    for length in (1, 2, 12):
        want, got = theirs(tokens(3, length)), ours(tokens(3, length))
        assert_equal_outputs(want, got)
        assert not got["weights"].triu(1).any()
    want["logits"].square().mean().backward(), got["logits"].square().mean().backward()
    assert_equal_gradients(theirs, ours)


@pytest.mark.parametrize("name", RECURRENT)
def test_onnxruntime_agrees_at_any_length(name: str, tmp_path: Path) -> None:
    model = netspec.load(name)
    graph = model.graph
    module = probing_copy(graph, model.module())
    path = export_onnx(graph, module, tmp_path / "model.onnx")
    proto = onnx.load(path)
    onnx.checker.check_model(str(path), full_check=True)
    shapes = {
        info.name: tuple(dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim)
        for info in [*proto.graph.input, *proto.graph.output]
    }
    for output, made in graph.outputs.items():
        assert shapes[output] == tuple(size if isinstance(size, int) else str(size) for size in made.value.shape)
    scans = [node for node in proto.graph.node if node.op_type == "Scan"]
    loops = [step for _, step, _ in walk(graph.body) if isinstance(step, Call) and step.body.loop is not None]
    assert len(scans) == len(loops) == (name in SCANS)
    assert not [node for node in proto.graph.node if node.op_type in ("Loop", "If")]
    for sizes in ({"N": 1, "S": 1, "T": 1}, {"N": 2, "S": 9, "T": 3}, {"N": 3, "S": 4, "T": 50}):
        shorter = netspec.load(name, dims={symbol: sizes[symbol] for symbol in graph.sizes}).graph
        (comparison,) = compare_onnx(shorter, module, path, [shorter.sizes]).comparisons
        assert comparison.agrees
        assert comparison.sizes.items() <= sizes.items()


@pytest.mark.parametrize("name", sorted(SCANS))
def test_torch_compiles_them_whole(name: str) -> None:
    model = netspec.load(name)
    module = model.module().eval()
    given = [tokens(2, 5)] * sum(not value.optional for value in model.graph.inputs.values())
    fast = torch.compile(module, fullgraph=True, backend="eager")
    with torch.no_grad(), torch._dynamo.config.patch(allow_rnn=True):  # torch leaves its own recurrent layers out
        torch.testing.assert_close(fast(*given), module(*given))
