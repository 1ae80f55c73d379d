"""Every block of code in the documentation: specs are checked, Python and quick commands run, others parsed.

Each page has a folder of its own. A block whose title is a file's name is written there for the blocks after it; a text
whose title is a command has to be what that prints, but for gaps, which ``…`` marks.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from blocks import PAGES, STORIES, Block, blocks
from places import DOCS, EXAMPLES, ROOT

from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.cli.parser import make_parser, with_values
from netspec.ops import OPS
from netspec.pipeline import load_spec
from netspec.plugins import clear_plugins
from netspec.recipes.base import PLUGIN_MODULES
from netspec.reference.examples.complete import complete

pytestmark = pytest.mark.slow

QUICK = {"check", "diagram", "diff", "doctor", "emit", "explain", "explorer", "help", "list", "new", "ops"}
QUICK |= {"schema", "shapes", "show", "source"}
"""The commands that are run wherever their files are there; those of the page to start with all are."""

IMAGES = "netspec: 1\nname: page\nextends: resnet18\nparams: {channels: 1, classes: 10}\ndims: {H: 28, W: 28}\n"
HEADS = {
    "guides/recipes.md": IMAGES,
    "guides/weights.md": "netspec: 1\nname: page\nextends: resnet18\n",
    "guides/generalizing.md": "netspec: 1\nname: page\ninputs: {image: [N, 3, 160, 160]}\n"
    "network: [global_avg_pool, {linear: 5}]\n",
    "reference/language.md": "netspec: 1\nname: page\nparams: {vocab: 20, hidden: 16}\n"
    "inputs: {source: {shape: [N, S], dtype: int64}, target: {shape: [N, T], dtype: int64}}\nnetwork:\n"
    "  - embedding: {name: words, from: source, num_embeddings: vocab, embedding_dim: 8}\n"
    "  - gru: {name: encoder, hidden_size: hidden}\n"
    "  - slice: {name: last, from: encoder.h_n, dim: 0, start: -1}\n"
    "  - embedding: {name: embedded, from: target, num_embeddings: vocab, embedding_dim: 8}\n",
}
"""The specs that the parts on some pages belong to."""


IMPORTS = "import numpy as np, torch, netspec; from PIL import Image; from torch import nn\n"
PREAMBLES = {
    "CONTRIBUTING.md": "from collections.abc import Sequence\nfrom typing import Any\nfrom netspec.ops import *\n"
    "from netspec.recipes import Loss\n",
    "guides/weights.md": "from netspec.cli import main\nsmall = ['width=24', 'heads=2', 'layers=1', 'vocab=50']\n"
    "main(['export', 'gpt2', *(word for each in small for word in ('--set', each)), '--as', 'hf', 'mine'])",
    "index.md": "from pathlib import Path\nPath('err.yaml').write_text('netspec: 1\\nname: broken\\n"
    "inputs: {image: [N, 3, 32, 32]}\\nnetwork:\\n  - conv2d: {out_channels: 32, kernel_size: 3, padding: 1}\\n"
    "  - residual:\\n      - conv2d: {out_channels: 64, kernel_size: 3, stride: 2, padding: 1}\\n"
    "      - batch_norm2d\\n')",
    "guides/training_in_python.md": f"{IMPORTS}Image.fromarray(np.zeros((28, 28), np.uint8)).save('seven.png')",
    "guides/importing.md": f"{IMPORTS}class Net(nn.Conv2d):\n    def forward(self, image):\n"
    "        return super().forward(image).relu()\nnet = Net(3, 4, 3, padding=1)",
    "guides/runtimes.md": f"{IMPORTS}netspec.load('lenet').export('vit.onnx')",
    "guides/ops_of_your_own.md": f"{IMPORTS}from pathlib import Path\nPath('mine').mkdir()\n"
    "Path('mine/layers.py').write_text('from torch import nn\\nclass Gate(nn.Module):\\n"
    "    def __init__(self, strength=1.0):\\n        super().__init__()\\n        self.strength = strength\\n"
    "    def forward(self, x):\\n        a, b = x.chunk(2, -1)\\n        return a * (self.strength * b).sigmoid()')",
    "guides/generating.md": f"{IMPORTS}from tokenizers import Tokenizer, models, pre_tokenizers\n"
    "from netspec import Choosing, Model, load\n"
    "class small:\n"
    "    Choosing, Model = Choosing, Model\n"
    "    load = staticmethod(lambda name: load(name, width=24, heads=2, layers=1, vocab=5000, context=64))\n"
    "words = {'[UNK]': 0, 'The': 1, 'cat': 2} | {f'w{at}': at for at in range(3, 5000)}\n"
    "tokenizer = Tokenizer(models.WordLevel(words, unk_token='[UNK]'))\n"
    "tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()\n"
    "tokenizer.save('tokenizer.json')\n"
    "netspec, module = small, small.load('gpt2').module()\n",
}
"""The code that a page takes for granted: files that its reader has, and networks that are small here."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> Iterator[Path]:
    """A page's folder: the working one, and one that Python imports from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    before = set(sys.modules)
    yield tmp_path
    files = {name: str(getattr(sys.modules[name], "__file__", "")) for name in set(sys.modules) - before}
    made = [name for name, file in files.items() if file.startswith(str(tmp_path))]
    OPS.forget(made)
    for name in made:
        sys.modules.pop(name)
    PLUGIN_MODULES.clear()
    clear_plugins()


@pytest.mark.parametrize("name", [*PAGES, *STORIES])
def test_the_blocks_of_a_page(name: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    path = {**PAGES, **STORIES}[name]
    names: dict[str, object] = {}
    exec(PREAMBLES.get(name, ""), names)
    for block in blocks(path):
        where = f"{name}:{block.line}"
        if re.fullmatch(r"[\w./-]+\.(yaml|py)", block.title):
            (folder / block.title).write_text(block.text, encoding="utf-8")
        if block.language == "yaml":
            check_yaml(block, folder, HEADS.get(name, ""), where, path.parent)
        elif block.language == "python":
            run_python(block, names, path.parent, where)
        elif block.language in ("sh", "console"):
            for command in block.commands:
                check_command(command, block, name, where)
        elif block.title.startswith("netspec "):
            capsys.readouterr()
            main(shlex.split(block.title)[1:])
            shows(block.text, "".join(capsys.readouterr()), where)
        capsys.readouterr()


def check_yaml(block: Block, folder: Path, head: str, where: str, home: Path) -> None:
    """Check a spec, or a part of one in the spec that its page gives it."""
    if home.parent.name == "stories":  # of a file beside the page, which the story's own tests use
        files = [path.read_text(encoding="utf-8") for path in home.rglob("*.yaml")]
        part = yaml.safe_load(block.text)
        assert any(flush(block.text) in flush(text) or is_within(part, yaml.safe_load(text)) for text in files), where
        return
    if "settings" in block.classes:  # of another program
        assert yaml.safe_load(block.text), where
        return
    if "part" in block.classes:  # of a file that stands here
        assert any(block.text in path.read_text() for path in folder.glob("*.yaml")), where
        return
    if "plugin" in block.classes:  # which the commands below it check
        return
    whole = re.search(r"^netspec:", block.text, re.MULTILINE)
    extends = re.search(r"^extends:", block.text, re.MULTILINE)
    text = block.text if whole else head + block.text if head and not extends else ""
    text = text or (f"netspec: 1\nname: page\n{block.text}" if extends else complete(block.text))
    path = folder / (block.title or "block.yaml")
    path.write_text(text, encoding="utf-8")
    found = check_loaded(load_spec(path)).diagnostics
    assert found == (), f"{where}: {found[0].message}"


def flush(text: str) -> str:
    """Return a text without indentation."""
    return "\n".join(line.strip() for line in text.splitlines())


def is_within(part: object, whole: object) -> bool:
    """Return whether all that a mapping says stands in another one."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(is_within(value, whole.get(key)) for key, value in part.items())
    return part == whole


def run_python(block: Block, names: dict[str, object], story: Path, where: str) -> None:
    """Run a block with the names of those before it; an excerpt of another's code is compiled."""
    code = compile(block.text, where, "exec", dont_inherit=True)
    if block.title.endswith("_module.py"):  # which is imported
        return
    if story.parent.name == "stories":  # the file beside the page
        assert any(block.text in path.read_text() for path in story.glob("*.py")), where
    elif "excerpt" not in block.classes:
        exec(code, names)


def check_command(command: str, block: Block, page: str, where: str) -> None:
    """Run a command of netspec's that is quick, and have netspec's parser take the others."""
    words = first_command(command)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if "install" in block.classes:  # as in the README, whose command CI runs
        assert command in (ROOT / "README.md").read_text(), where
        return
    if not words or words[0] != "netspec" or words[-1] == "--help":
        return
    words = words[1:]
    parser = make_parser(words)
    options = parser.parse_args(with_values(parser, words))
    if page == "start.md" or (block.language == "sh" and options.command in QUICK and is_there(words)):
        shorter = ["--set", "train.epochs=null", "--set", "train.steps=3"] if options.command == "train" else []
        wanted = 1 if any(word.startswith("wrong") for word in words) else 0
        assert main([*words, *shorter]) == wanted, (where, command)


def first_command(line: str) -> list[str]:
    """Return the words of the first command in a shell's line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return [*takewhile(lambda word: not set(word) <= set("|&;<>()"), lexer)]


def is_there(words: list[str]) -> bool:
    """Return whether a command can be run here: nothing that it names is missing, and it comes to an end."""
    mine = [word for word in words[1:] if re.search(r"\.(yaml|pth|onnx|json|safetensors)$|^runs/|^[A-Z]+$|@", word)]
    written = {words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-o", "--output")}
    missing = [word for word in mine if word not in written and not Path(word).exists() and words[0] != "new"]
    elsewhere = any(re.match(r"(hf|torchvision):", word) for word in words)
    return not missing and not elsewhere and not {"--watch", "--open"} & {*words}


def shows(text: str, printed: str, where: str) -> None:
    """Hold what a page shows against what is printed, piece by piece between the gaps."""
    at = 0
    for piece in re.split(r"^…\n", text, flags=re.MULTILINE):
        found = printed.find(piece.rstrip("\n"), at)
        assert found >= 0, f"{where}: not printed:\n{piece}\nbut:\n{printed}"
        at = found + len(piece)


def test_pages_show_what_they_should():
    """The list of kinds is complete: a block in another language, or with another class, is checked by nothing."""
    languages = {block.language for path in {**PAGES, **STORIES}.values() for block in blocks(path)}
    assert languages <= {"yaml", "python", "sh", "console", "text", "toml", "json", "lua", "bash", ""}
    classes = {each for path in PAGES.values() for block in blocks(path) for each in block.classes}
    assert classes <= {"part", "settings", "steps", "train", "plugin", "excerpt", "install", "messages"}
    assert len(PAGES) > 30
    assert zoo.names()
    assert DOCS.is_dir()
