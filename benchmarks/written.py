"""Networks as a person writes them in PyTorch, with care for what need not be done in every turn.

Their keys are those of the specs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CifarBlock(nn.Module):
    """A residual block as a person writes it; its shortcut has no weights (option A)."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.extra = stride, (width - channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra))
        out += x
        return F.relu(out)


class CifarResNet(nn.Module):
    """The CIFAR-10 residual network of ``depth`` layers (He et al. 2015, section 4.2)."""

    def __init__(self, depth: int):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, blocks, 1)
        self.layer2 = self.stage(16, 32, blocks, 2)
        self.layer3 = self.stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, 10)

    def stage(self, channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        first = CifarBlock(channels, width, stride)
        return nn.Sequential(first, *(CifarBlock(width, width, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.adaptive_avg_pool2d(out, 1).flatten(1)
        return self.linear(out)


class LanguageModel(nn.Module):
    """Characters through torch's own LSTM."""

    def __init__(self, vocab: int, width: int, hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        output, _ = self.lstm(self.embedding(tokens))
        return self.head(output)


class GatedCell(nn.Module):
    """An LSTM written out; what it makes of the inputs is one product for all turns."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.ih, self.hh = nn.Linear(width, 4 * hidden), nn.Linear(hidden, 4 * hidden)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.size(0), self.hidden)
        outputs = []
        for step in self.ih(x).unbind(1):
            i, f, g, o = (step + self.hh(h)).chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1)


class GatedLanguageModel(nn.Module):
    """Characters through an LSTM that is written out."""

    def __init__(self, vocab: int, width: int, hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.lstm = nn.ModuleList([nn.ModuleDict({"cell": GatedCell(width, hidden)})])
        self.head = nn.Linear(hidden, vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm[0]["cell"](self.embedding(tokens)))


class Alignment(nn.Module):
    """Bahdanau's attention to keys that are projected already."""

    def __init__(self, hidden: int):
        super().__init__()
        self.W_q = nn.Linear(hidden, hidden, bias=False)
        self.W_k = nn.Linear(hidden, hidden, bias=False)
        self.w_v = nn.Linear(hidden, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return F.softmax(self.w_v(torch.tanh(self.W_q(query).unsqueeze(1) + keys)).squeeze(-1), dim=-1)


class Decoder(nn.Module):
    """Keys are projected once; all words are scored together, after the loop."""

    def __init__(self, vocab: int, hidden: int):
        super().__init__()
        self.context = Alignment(hidden)
        self.state = nn.GRUCell(2 * hidden, hidden)
        self.head = nn.Linear(2 * hidden, vocab)

    def forward(self, words: Tensor, s: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.context.W_k(states)
        found, contexts, weights = [], [], []
        for word in words.unbind(1):
            alpha = self.context(s, keys)
            context = (alpha.unsqueeze(1) @ states).squeeze(1)
            s = self.state(torch.cat((word, context), dim=1), s)
            found.append(s)
            contexts.append(context)
            weights.append(alpha)
        read = torch.cat((torch.stack(found, dim=1), torch.stack(contexts, dim=1)), dim=-1)
        return self.head(read), torch.stack(weights, dim=1)


class AttentionDecoder(nn.Module):
    """Translation with attention (Bahdanau et al. 2014)."""

    def __init__(self, vocab: int, hidden: int):
        super().__init__()
        self.source_embedding, self.target_embedding = nn.Embedding(vocab, hidden), nn.Embedding(vocab, hidden)
        self.encoder = nn.GRU(hidden, hidden, batch_first=True)
        self.decoder = Decoder(vocab, hidden)

    def forward(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        states, last = self.encoder(self.source_embedding(source))
        logits, weights = self.decoder(self.target_embedding(target), last[-1], states)
        return {"logits": logits, "weights": weights}


class Conv1D(nn.Module):
    """A linear layer whose weight lies the other way, as GPT-2's checkpoints have it."""

    def __init__(self, before: int, width: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(before, width)), nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        made = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return made.view(*x.shape[:-1], -1)


class Attention(nn.Module):
    """Causal self-attention, all three projections at once."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.c_attn, self.c_proj, self.heads = Conv1D(width, 3 * width), Conv1D(width, width), heads

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.1 if self.training else 0.0, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(n, t, c))


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int):
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(width, 4 * width), Conv1D(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")), 0.1, self.training)


class TransformerBlock(nn.Module):
    """Attention and an MLP, each normalised before and added."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.ln_2, self.mlp = nn.LayerNorm(width), MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + F.dropout(self.attn(self.ln_1(x)), 0.1, self.training)
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """GPT-2 (Radford et al. 2019)."""

    def __init__(self, vocab: int, context: int, width: int, heads: int, layers: int):
        super().__init__()
        blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        words, positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.transformer = nn.ModuleDict({"wte": words, "wpe": positions, "h": blocks, "ln_f": nn.LayerNorm(width)})
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.lm_head.weight = words.weight

    def forward(self, ids: Tensor) -> Tensor:
        parts = self.transformer
        x = parts["wte"](ids) + parts["wpe"](torch.arange(ids.size(1), device=ids.device))
        x = F.dropout(x, 0.1, self.training)
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


class SelectiveStateSpace(nn.Module):
    """Mamba's layer as a person writes it: all but the recurrence is done for the whole sequence at once."""

    def __init__(self, width: int, state: int, kernel: int = 4):
        super().__init__()
        self.inner, self.state, self.rank = 2 * width, state, -(-width // 16)
        self.A_log = nn.Parameter(torch.zeros(self.inner, state))
        self.D = nn.Parameter(torch.zeros(self.inner))
        self.in_proj = nn.Linear(width, 2 * self.inner, bias=False)
        self.conv1d = nn.Conv1d(self.inner, self.inner, kernel, padding=kernel - 1, groups=self.inner)
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        self.out_proj = nn.Linear(self.inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        length = x.size(1)
        x, gate = self.in_proj(x).chunk(2, dim=-1)
        x = F.silu(self.conv1d(x.transpose(1, 2))[:, :, :length]).transpose(1, 2)
        step, reads, writes = self.x_proj(x).split((self.rank, self.state, self.state), dim=-1)
        step = F.softplus(self.dt_proj(step))
        decay = torch.exp(step.unsqueeze(-1) * -torch.exp(self.A_log))
        added = (step * x).unsqueeze(-1) * reads.unsqueeze(2)
        state = x.new_zeros(x.size(0), self.inner, self.state)
        states = []
        for kept, new in zip(decay.unbind(1), added.unbind(1)):
            state = kept * state + new
            states.append(state)
        y = (torch.stack(states, dim=1) @ writes.unsqueeze(-1)).squeeze(-1)
        return self.out_proj((y + x * self.D) * F.silu(gate))


class MambaLayer(nn.Module):
    """A layer of Mamba, with its norm and shortcut."""

    def __init__(self, width: int, state: int):
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.mixer = SelectiveStateSpace(width, state)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mixer(self.norm(x))


class MambaBackbone(nn.Module):
    """The layers of Mamba between its embedding and its last norm."""

    def __init__(self, vocab: int, width: int, layers: int, state: int):
        super().__init__()
        self.embeddings = nn.Embedding(vocab, width)
        self.layers = nn.Sequential(*(MambaLayer(width, state) for _ in range(layers)))
        self.norm_f = nn.RMSNorm(width, eps=1e-5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.norm_f(self.layers(self.embeddings(ids)))


class Mamba(nn.Module):
    """Mamba with its head, which is tied to the embedding (Gu and Dao 2023)."""

    def __init__(self, vocab: int, width: int, layers: int, state: int = 16):
        super().__init__()
        self.backbone = MambaBackbone(vocab, width, layers, state)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.lm_head.weight = self.backbone.embeddings.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.lm_head(self.backbone(ids))
