"""Hostile specs end in a diagnostic, in little time and memory, measured in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clock import yardstick

pytestmark = pytest.mark.slow

HEAD = "netspec: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\n"
YARDSTICKS = 20
"""Processor time. The aim is one second on a quiet machine, ten yardsticks; `pytest -s` prints what each takes."""
MEGABYTES = 200

MEASURE = """
import json, re, sys, time
from netspec.cli import main
loaded = time.process_time()
code = main(["check", sys.argv[1]])
used = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
print(json.dumps([code, time.process_time() - loaded, int(used[1]) / 1024]))
"""


def calls(count: int, body: str, each: str) -> str:
    """Blocks that each call the next one twice."""
    lines = [f"  b{i}: {{params: {{n: 0}}, body: [{each.format(next=f'b{i + 1}')}]}}" for i in range(count)]
    return HEAD + "blocks:\n" + "\n".join(lines) + f"\n  b{count}: {{params: {{n: 0}}, body: {body}}}\nnetwork: [b0]\n"


BOMBS: dict[str, Callable[[], str]] = {
    "alias": lambda: (
        "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 20)}]\n" for i in range(1, 9))
    ),
    "merge": lambda: (
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 20)}]\n" for i in range(1, 9))
    ),
    "nesting": lambda: "[" * 100_000 + "]" * 100_000,
    "nesting in block style": lambda: "".join(" " * i + "a:\n" for i in range(1500)),
    "a billion turns": lambda: HEAD + "network:\n  - repeat: {count: 10 ** 9, body: [relu]}\n",
    "empty loops": lambda: (
        HEAD
        + "network:\n  - repeat: {count: 1000, body: "
        + "[{repeat: {count: 1000, body: [{repeat: {count: 1000, body: []}}]}}]}\n"
    ),
    "block recursion": lambda: HEAD + "blocks:\n  a: {body: [a, a]}\nnetwork: [a]\n",
    "doubling blocks": lambda: calls(30, "[relu]", "{next}, {next}"),
    "doubling blocks that fail": lambda: calls(30, "[{linear: 1.5}]", "{next}, {next}"),
    "doubling blocks of different values": lambda: calls(
        30, "[{if: {test: n > 1, then: []}}]", "{{{next}: {{n: 2 * n}}}}, {{{next}: {{n: 2 * n + 1}}}}"
    ),
    "a large file": lambda: HEAD + "doc: |\n" + ("  " + "x" * 998 + "\n") * 100_000,
    "a quadrillion parameters": lambda: HEAD + "network:\n  - linear: 100000000\n  - linear: 10000000\n",
    "unknown keys": lambda: HEAD + "network: [relu]\n" + "".join(f"key{i}: 1\n" for i in range(60_000)),
    "unknown ops": lambda: HEAD + "network:\n" + "".join(f"  - relux{i}\n" for i in range(60_000)),
    "one unknown op in every turn": lambda: HEAD + "network:\n  - repeat: {count: 19999, body: [rellu]}\n",
    "a fault in every turn": lambda: HEAD + "network:\n  - repeat: {count: 19999, index: i, body: [{linear: 1 / 3}]}\n",
    "duplicate keys": lambda: HEAD + "network: [relu]\n" + "x: 1\n" * 150_000,
    "a long line": lambda: HEAD + "network: [" + "relu, " * 100_000 + "rellu]\n",
    "long words": lambda: HEAD + "network:\n" + "".join(f"  - {'r' * 100}{i}\n" for i in range(20_000)),
    "a power tower": lambda: HEAD + "network:\n  - linear: 9 ** 9 ** 9 ** 9 ** 9\n",
    "a long range": lambda: HEAD + "network:\n  - linear: sum(range(10 ** 15))\n",
    "a growing list": lambda: HEAD + "params: {a: [0]}\nnetwork:\n  - linear: len(a * 10 ** 12)\n",
    "a growing text": lambda: (
        HEAD + "params: {a: '{b}{b}'}\nnetwork:\n  - linear: {name: \"" + "{N}" * 4000 + '", out_features: 3}\n'
    ),
    "high powers of sizes": lambda: (
        HEAD.replace("32, 32", "H, W") + "network:\n  - flatten\n  - linear: (shape[1] + 1) ** 16\n"
    ),
    "layers": lambda: HEAD + "network:\n  - repeat: {count: 19999, body: [relu, relu]}\n",
    "deep expressions": lambda: HEAD + "network:\n  - linear: " + "(" * 5000 + "1" + ")" * 5000 + "\n",
    "unclosed quotes": lambda: HEAD + 'doc: "' + "\n  a: [{" * 50_000,
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A shell's environment in which netspec runs from compiled bytecode, as an installed package does."""
    made = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    made |= {"COLUMNS": "100", "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}
    subprocess.run([sys.executable, "-m", "netspec", "check", "lenet"], check=True, capture_output=True, env=made)
    return made


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux tells it")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_a_diagnostic(name: str, tmp_path: Path, environment: dict[str, str]):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name]())
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    code, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {seconds:.2f} s, {megabytes:.0f} MB, {done.stderr.splitlines()[0]}")
    assert code == 1
    assert done.stderr.startswith("error[")
    assert len(done.stderr) < 200_000
    assert seconds < YARDSTICKS * yardstick()
    assert megabytes < MEGABYTES
