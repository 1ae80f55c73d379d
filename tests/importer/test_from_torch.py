"""Modules of PyTorch as specs: the text compiles, takes the weights strictly, and computes the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import netspec
from netspec.importer.write.class_names import snake_case


class Residual(nn.Module):
    def __init__(self, width: int = 4, bias: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(image)) + image)


class Twice(nn.Module):
    """A module that is called twice, and one whose weight is another's."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.mix = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        return {"logits": self.head(self.mix(self.mix(self.words(ids))))}


class Alternating(nn.Module):
    """Two lists of modules that are called in turn, so that neither can stay together."""

    def __init__(self):
        super().__init__()
        self.left = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.right = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])

    def forward(self, x):
        for left, right in zip(self.left, self.right):
            x = right(left(x).relu())
        return x


class Several(nn.Module):
    """Two inputs, two outputs, a learned tensor of its own and a constant."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.register_buffer("shift", torch.tensor([0.5, 0.0, -0.5]))

    def forward(self, a, b):
        return a * self.scale + self.shift, b + torch.tensor([1.0, 1.0, 2.0])


def test_a_module_comes_in_with_its_keys_and_computes_the_same():
    module = Residual()
    spec = netspec.from_torch(module, {"image": torch.randn(2, 4, 5, 6)}, {"image": {0: "N", 2: "H", 3: "W"}})
    assert spec.proof.holds
    assert len(spec.proof.trials) == 4  # three sizes, and training mode
    assert [str(size) for size in spec.model.graph.inputs["image"].shape] == ["N", "4", "H", "W"]
    spec.model.module().load_state_dict(module.state_dict(), strict=True)
    assert "conv2d: {name: conv, out_channels: 4, kernel_size: 3, padding: 1}" in spec.text


def test_modules_called_again_are_shared_and_tied_weights_stay_tied():
    spec = netspec.from_torch(Twice(), {"ids": torch.randint(0, 11, (2, 5))}, {"ids": {0: "N", 1: "T"}})
    assert spec.proof.holds
    assert "share: mix" in spec.text
    assert "tie: {weight: words.weight}" in spec.text
    assert spec.model.graph.body.parameter_count == 11 * 6 + 6 * 6 + 6


def test_inputs_outputs_parameters_buffers_and_constants():
    spec = netspec.from_torch(Several(), {"a": torch.randn(2, 3), "b": torch.randn(2, 3)})
    assert spec.proof.holds
    assert list(spec.model.graph.outputs) == ["output_0", "output_1"]


def test_the_weights_are_written_by_the_keys_of_the_spec(tmp_path):
    from safetensors.torch import load_file

    module = Residual()
    spec = netspec.from_torch(module, {"image": torch.randn(2, 4, 5, 5)})
    spec.write(tmp_path / "net.yaml")
    spec.write_weights(tmp_path / "net.safetensors")
    tensors = load_file(tmp_path / "net.safetensors")
    assert torch.equal(tensors["conv.weight"], module.conv.weight)
    netspec.load(tmp_path / "net.yaml").module().load_state_dict(tensors, strict=True)


def test_a_dimension_that_the_module_needs_fixed_is_told():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(2, 3, -1) if x.shape[0] == 2 else x

    spec = netspec.from_torch(Fixed(), {"x": torch.randn(2, 12)}, {"x": {0: "N"}})
    assert spec.notes[0] == "N of `x` is 2: the module takes no other size"


def test_what_cannot_be_exported_or_said_is_told_with_its_line():
    class Refused(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(netspec.UsageError, match=r"torch.export refuses Refused at .*test_from_torch.py:\d+"):
        netspec.from_torch(Refused(), {"x": torch.randn(2, 3)})

    class Unsaid(nn.Module):
        def forward(self, x):
            return torch.linalg.svdvals(x), torch.linalg.eigvalsh(x)

    with pytest.raises(netspec.UsageError) as told:
        netspec.from_torch(Unsaid(), {"x": torch.randn(3, 3)}, {})
    assert "linalg_svdvals" in str(told.value)
    assert "test_from_torch.py" in str(told.value)


def test_a_name_that_forward_does_not_take_is_told():
    with pytest.raises(netspec.UsageError, match=r"Residual.forward has no parameter `picture`; it takes image"):
        netspec.from_torch(Residual(), {"picture": torch.randn(2, 4, 5, 5)})


def test_an_exported_program_comes_in_from_its_file(tmp_path):
    dims = {"image": {0: torch.export.Dim.AUTO}}
    exported = torch.export.export(Residual().eval(), (torch.randn(2, 4, 5, 5),), dynamic_shapes=dims)
    torch.export.save(exported, tmp_path / "net.pt2")
    spec = netspec.from_exported(torch.export.load(tmp_path / "net.pt2"), name="net")
    assert spec.proof.holds
    assert "image: [N, 4, 5, 5]" in spec.text


def test_what_runs_without_gradients_or_autocast_is_read_as_if_it_did_not():
    class Guarded(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x):
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                angles = torch.sin(x)
            return self.linear(x) * angles

    spec = netspec.from_torch(Guarded(), {"x": torch.randn(2, 3)})
    assert spec.proof.holds
    assert "sin" in spec.text


@pytest.mark.parametrize("name", ["lenet", "resnet18"])
def test_an_onnx_file_of_netspec_comes_back_and_agrees_on_onnxruntime(name, tmp_path):
    model = netspec.load(name)
    module = model.module()
    spec = netspec.from_onnx(model.export(tmp_path / "net.onnx", module))
    assert spec.proof.holds
    assert {key: value.shape for key, value in spec.module().state_dict().items() if "batches" not in key} == {
        key: value.shape for key, value in module.state_dict().items() if "batches" not in key
    }


def test_an_output_that_has_the_name_of_an_input_gets_another():
    class Scaled(nn.Module):
        def forward(self, x):
            return {"x": 2 * x, "y": x + 1}

    assert list(netspec.from_torch(Scaled(), {"x": torch.randn(2, 3)}).model.graph.outputs) == ["x_out", "y"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ResNet", "resnet"),
        ("ConvNeXt", "convnext"),
        ("ViTModel", "vit_model"),
        ("VisionTransformer", "vision_transformer"),
        ("GPT2LMHeadModel", "gpt2_lm_head_model"),
        ("GoogLeNet", "googlenet"),
        ("SENetBlock", "senet_block"),
        ("PolicyNetwork", "policy_network"),
        ("Conv1D", "conv1d"),
        ("YOLOv8", "yolov8"),
        ("_LeakyReLU", "leaky_relu"),
    ],
)
def test_the_name_of_a_class_becomes_that_of_a_spec(name, word):
    assert snake_case(name) == word


class Unsaid(nn.Module):
    """Does what no op does, with a weight of its own. Twice."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        values, vectors = torch.linalg.eigh(self.mix(x) * self.scale)
        return torch.relu(values), vectors


def test_what_has_no_counterpart_is_left_as_opaque_steps():
    with pytest.raises(netspec.UsageError, match="become `opaque` steps"):
        netspec.from_torch(Unsaid(), {"x": torch.randn(3, 3)}, {})
    spec = netspec.from_torch(Unsaid(), {"x": torch.randn(3, 3)}, {}, partial=True)
    assert spec.proof is None
    assert "linalg_eigh" in spec.left_open
    assert spec.text.count("- opaque: {") == 2
    assert 'of: "output 1 of linalg_eigh, test_from_torch.py:' in spec.text
    assert spec.model.graph.body.parameter_count == 21
    assert "opaque output 0 of linalg_eigh" in spec.model.shapes().text(width=120)
    with pytest.raises(netspec.SpecError, match="nothing can build this step: it stands for output 0 of linalg_eigh"):
        spec.model.module()


def test_stochastic_depth_is_told_as_inference_shows_nothing_of_it():
    class StochasticDepth(nn.Module):
        p = 0.5

        def forward(self, x):
            return x * torch.bernoulli(torch.tensor(0.5)) if self.training else x

    spec = netspec.from_torch(nn.Sequential(nn.Linear(3, 3), StochasticDepth()), {"input": torch.randn(2, 3)})
    assert spec.notes == ["1: stochastic depth acts in training alone; the spec leaves it out"]


def test_a_network_that_cannot_be_folded_comes_in_level_by_level(monkeypatch):
    monkeypatch.setattr("netspec.importer.convert.fold", lambda levels: {}["no such skeleton"])
    spec = netspec.from_torch(nn.Sequential(Residual(), Residual()), {"input": torch.randn(2, 4, 5, 5)})
    assert spec.proof.holds
    assert "no blocks and no loops" in spec.notes[0]


def test_a_text_that_computes_something_else_is_written_without_folding(monkeypatch):
    from netspec.importer.fold import fold

    def mistaken(levels):
        phrases = fold(levels)
        phrases.blocks[0].body[-1].word = "sigmoid"  # in place of relu
        return phrases

    monkeypatch.setattr("netspec.importer.convert.fold", mistaken)
    spec = netspec.from_torch(nn.Sequential(Residual(), Residual()), {"input": torch.randn(2, 4, 5, 5)})
    assert spec.proof.holds
    assert "it would compute something else" in spec.notes[0]


def test_what_levels_without_names_give_aside_is_found_by_their_positions():
    class Stage(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(4, 4)

        def forward(self, x, aside):
            x = self.mix(x).tanh()
            return x * aside, x[:, :1]

    class Stages(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = nn.ModuleList([Stage() for _ in range(3)])

        def forward(self, x):
            aside = x[:, :1]
            for stage in self.stages:
                x, aside = stage(x, aside)
            return x

    spec = netspec.from_torch(Stages(), {"x": torch.randn(2, 4)})
    assert spec.proof.holds
    assert spec.notes == []
    assert spec.text.count("linear: {name: mix") == 2  # the last one gives nothing aside


def test_a_notebook_shows_table_and_diagram():
    spec = netspec.from_torch(Residual(), {"image": torch.randn(2, 4, 5, 5)}, verify=False)
    page = spec._repr_html_()
    assert page.startswith(spec.model._repr_html_())
    assert page.count("<svg") == page.count("</svg>") == 1
    assert "<?xml" not in page


def test_changes_in_place_of_what_was_changed_in_place():
    class InPlace(nn.Module):
        def forward(self, x):
            y = 2 * x
            y += x
            y.relu_()
            return y.sigmoid_() + y

    assert netspec.from_torch(InPlace(), {"x": torch.randn(2, 3)}).proof.holds


def test_a_tie_inside_a_level_is_told_from_that_level_on():
    class Words(nn.Module):
        def __init__(self, words):
            super().__init__()
            self.words = words

        def forward(self, ids):
            return self.words(ids).tanh().sum(1)

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            shared = nn.Embedding(11, 6)
            self.encoder, self.decoder = Words(shared), Words(nn.Embedding(11, 6))
            self.decoder.words.weight = shared.weight

        def forward(self, a, b):
            return self.decoder(b) * self.encoder(a)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = Pair()

        def forward(self, a, b):
            return self.model(a, b)

    ids = torch.randint(0, 11, (2, 5))
    spec = netspec.from_torch(Whole(), {"a": ids, "b": ids.clone()})
    assert spec.proof.holds
    assert "tie: {weight: decoder.words.weight}" in spec.text or "tie: {weight: encoder.words.weight}" in spec.text


def test_a_name_that_a_step_nearer_by_has_is_not_read_through_it():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.tree1, self.root = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(12, 4)

        def forward(self, x, outer):
            own = self.tree1(x)
            return self.root(torch.cat([own, outer, x], 1))

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.tree1, self.tree2 = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), Inner()

        def forward(self, x):
            first = self.tree1(x)
            return self.tree2(torch.sigmoid(first), first)

    assert netspec.from_torch(Outer(), {"x": torch.randn(2, 4)}).proof.holds


def test_a_part_that_is_overwritten_in_place_is_other_numbers_there():
    class Zeroed(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.randn(6))

        def forward(self, x):
            bias = self.bias.clone()
            bias[2:4].zero_()
            bias[4:].fill_(2.0)
            return x + bias

    assert netspec.from_torch(Zeroed(), {"x": torch.randn(2, 6)}).proof.holds


def test_a_layer_one_of_whose_tensors_is_read_by_itself_is_a_level():
    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return nn.functional.linear(x, self.linear.weight, 0.5 * self.linear.bias)

    assert netspec.from_torch(Halved(), {"x": torch.randn(2, 4)}).proof.holds


def test_buffers_start_as_the_original_s_and_a_long_one_is_told():
    class Held(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("order", torch.tensor([2, 0, 1]))
            self.register_buffer("far", torch.arange(100) ** 2 % 37)
            self.register_buffer("mask", torch.ones(20, 20).tril()[None])
            self.register_buffer("none", torch.zeros(3))

        def forward(self, x):
            return x[:, self.order] + self.none, x.sum(1, keepdim=True) * self.far, x[:, :1, None] + self.mask

    spec = netspec.from_torch(Held(), {"x": torch.randn(2, 3)})
    assert spec.proof.holds
    fresh = spec.model.module().state_dict()
    assert fresh["order"].tolist() == [2, 0, 1]
    assert torch.equal(fresh["mask"], torch.ones(20, 20).tril()[None])
    assert spec.notes == ["far: too many numbers for a text, so that these are zeros until weights are loaded"]
