"""All checks that need a GPU, in one run of at most eight minutes, as one table in Markdown.

The rate of a large product; a step of ResNet-50 and of GPT-2 in bfloat16 against the hand-written module, eager and by
torch.compile; the networks of ``throughput.py`` without compilation; each op, forward and backward, against the CPU;
NCCL with one process; onnxruntime; and builds. A part that fails is a row of its own, and what is not reached in time
is named.

    python benchmarks/gpu/report.py -o benchmarks/gpu/DEVICE-report.md
    python benchmarks/gpu/report.py --device cpu --tiny
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent / "tests")]

import throughput  # noqa: E402
from pairs import import_torchvision  # noqa: E402
from written import GPT2  # noqa: E402

import netspec  # noqa: E402
from netspec.diagnostics import EnvironmentFault  # noqa: E402
from netspec.runtime.compile import compile_regions  # noqa: E402
from netspec.runtime.fixed_noise import fixed_noise  # noqa: E402
from netspec.runtime.module import checked_device  # noqa: E402
from netspec.testing.case import OpCase  # noqa: E402
from netspec.testing.pytorch import copies, random_module, run_lines  # noqa: E402

Row = tuple[str, str, str]
"""A row: the thing measured, its figure, and the figure that it is compared with."""

BUDGET = 400.0
"""Seconds after which nothing new is begun."""
OP_TOLERANCE = 1e-4
"""The difference of an op on two devices, relative to the largest number; products without TF32."""


@dataclass(slots=True)
class Bench:
    """The device, the sizes, the time that is left, and the peak that was measured, in FLOP/s."""

    device: torch.device
    tiny: bool
    deadline: float
    peak: float = 0.0

    @property
    def is_over(self) -> bool:
        """Return whether nothing new may begin."""
        return time.perf_counter() > self.deadline

    def seconds(self, run: Callable[[], object], wanted: float = 2.0) -> float:
        """Return the seconds of one call, of as many as take ``wanted`` seconds, after three that warm up."""
        for _ in range(3):
            run()
        once = self._elapsed(run, 1)
        times = 1 if self.tiny else max(3, min(1000, int(wanted / once)))
        return self._elapsed(run, times) / times

    def _elapsed(self, run: Callable[[], object], times: int) -> float:
        self._wait()
        start = time.perf_counter()
        for _ in range(times):
            run()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure_peak(bench: Bench) -> Iterator[Row]:
    """The rate of a product of two square matrices in bfloat16, which the steps are compared with."""
    size = 256 if bench.tiny else 8192
    left, right = (torch.randn(size, size, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    bench.peak = 2 * size**3 / bench.seconds(lambda: left @ right)
    yield f"product of {size}×{size}, bf16", f"{bench.peak / 1e12:.3g} TFLOP/s", "the peak of the rows below"


def resnet50(tiny: bool) -> tuple[nn.Module, nn.Module, list[Tensor]]:
    """ResNet-50, torchvision's, and a batch of images."""
    images = torch.randn(2, 3, 64, 64) if tiny else torch.randn(128, 3, 224, 224)
    return netspec.load("resnet50").module(), import_torchvision().models.resnet50(), [images]


def gpt2(tiny: bool) -> tuple[nn.Module, nn.Module, list[Tensor]]:
    """GPT-2 small, the hand-written one, and a batch of words."""
    vocab, context, width, heads, layers = (97, 64, 32, 2, 2) if tiny else (50257, 1024, 768, 12, 12)
    sizes = {"vocab": vocab, "context": context, "width": width, "heads": heads, "layers": layers}
    words = torch.randint(vocab, (1, 16) if tiny else (8, 1024))
    return netspec.load("gpt2", **sizes).module(), GPT2(vocab, context, width, heads, layers), [words]


def training_step(module: nn.Module, inputs: list[Tensor], device: torch.device) -> Callable[[], None]:
    """Return a step of SGD in bfloat16 by autocast."""
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            output = module(*inputs)
        output.float().square().mean().backward()
        optimizer.step()

    return step


def measure_steps(bench: Bench, compiled: bool) -> Iterator[Row]:
    """A step of each large network, and of the hand-written module with the same weights."""
    for title, make in (("ResNet-50", resnet50), ("GPT-2 small", gpt2)):
        ours, theirs, inputs = make(bench.tiny)
        theirs.load_state_dict(ours.state_dict())
        inputs = [each.to(bench.device) for each in inputs]
        ours, theirs = ours.to(bench.device), theirs.to(bench.device)
        with FlopCounterMode(display=False) as counter:
            training_step(theirs, inputs, bench.device)()
        flops = counter.get_total_flops()
        modules = {"netspec": ours, "by hand": theirs}
        if compiled:
            regional = copy.deepcopy(ours)
            compile_regions(regional)
            modules["netspec, `compile: regional`"] = regional
            modules["by hand, torch.compile"] = _as_module(torch.compile(copy.deepcopy(theirs)))
            modules["by hand, CUDA graphs"] = _as_module(torch.compile(copy.deepcopy(theirs), mode="reduce-overhead"))
        for name, module in modules.items():
            if bench.is_over:
                yield f"a step of {title}, {name}", "not started", "out of time"
                continue
            yield from guarded(f"a step of {title}, {name}", partial(_step_row, bench, module, inputs, flops))


def _as_module(compiled: Any) -> nn.Module:
    module: nn.Module = compiled
    return module


def _step_row(bench: Bench, module: nn.Module, inputs: list[Tensor], flops: int) -> Iterator[tuple[str, str]]:
    seconds = bench.seconds(training_step(module, inputs, bench.device))
    yield (
        f"{1e3 * seconds:.2f} ms",
        f"{flops / seconds / 1e12:.3g} TFLOP/s, {flops / seconds / bench.peak:.0%} of the peak",
    )


def measure_book(bench: Bench) -> Iterator[Row]:
    """Examples per second of the networks of *Dive into Deep Learning*, by the loop of ``netspec train``.

    ``throughput.py`` has the compiled column, whose compilations take minutes.
    """
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    columns = [name for name in throughput.COLUMNS if name != "compiled"]
    names = ["lenet"] if bench.tiny else [*throughput.NETWORKS]
    options = argparse.Namespace(columns=columns, batch=2, steps=2, warm=1)
    if not bench.tiny:
        options = argparse.Namespace(columns=columns, batch=None, steps=100, warm=10)
    for name in names:
        network = throughput.NETWORKS[name]
        if bench.is_over:
            yield f"{network.title}, examples per second", "not started", "out of time"
            continue
        rates = zip(columns, throughput.rates(name, options, bench.device))
        text = ", ".join(f"{column} {'failed' if rate is None else f'{rate:,.0f}'}" for column, rate in rates)
        yield f"{network.title}, examples per second", text, f"D2L, V100: {network.published:,}"


def check_ops(bench: Bench) -> Iterator[Row]:
    """Each op, forward and backward, on the device and on the CPU."""
    from ops.all_cases import CASES

    cases = CASES[::20] if bench.tiny else CASES
    faults, done = [], 0
    for case in cases:
        if bench.is_over:
            break
        done += 1
        try:
            compare_op(case, bench.device)
        except Exception as error:  # of any kind: the others are still to be tried
            faults.append((str(case), str(error).strip().split("\n")[0] or type(error).__name__))
    yield f"{len(cases)} cases of ops against the CPU", f"{done} tried, {len(faults)} differ", f"by {OP_TOLERANCE:g}"
    for name, fault in faults[:30]:
        yield f"`{name}`", "differs", fault


def compare_op(case: OpCase, device: torch.device) -> None:
    """Hold an op's outputs and the gradients of its inputs and parameters on a device against those on the CPU."""
    wanted, found = (outputs_and_gradients(case, each) for each in (torch.device("cpu"), device))
    assert len(wanted) == len(found), "another number of outputs or gradients"
    for left, right in zip(wanted, found):
        right = right.cpu()
        if not left.is_floating_point():
            torch.testing.assert_close(right, left)
            continue
        bound = OP_TOLERANCE * float(left[left.isfinite()].abs().max()) if left.isfinite().any() else 0.0
        torch.testing.assert_close(right, left, rtol=0.0, atol=bound, equal_nan=True)


def outputs_and_gradients(case: OpCase, device: torch.device) -> list[Tensor]:
    """Return an op's outputs, and the gradients of their sum of squares, on a device."""
    sizes = case.sizes[0]
    op, tensors = case.op(sizes), case.tensors(sizes)
    module = random_module(op, tensors)
    if isinstance(module, nn.Parameter):
        module = nn.Parameter(module.detach().to(device), module.requires_grad)
    elif module is not None:
        module = module.to(device)
    leaves = [None if value is None else value.to(device) for value in case.values(sizes)]
    real = [each.requires_grad_() for each in leaves if each is not None and each.is_floating_point()]
    # A leaf is not changed in place, as some ops do with their inputs.
    with fixed_noise(op.is_random()):
        outputs = run_lines(op, module, tensors, copies(leaves), range(len(op.output_names(*tensors))))
    summed = [each for each in outputs if each.is_floating_point() and each.requires_grad]
    gradients: list[Tensor | None] = []
    if summed:
        learned = [module] if isinstance(module, nn.Parameter) else [*module.parameters()] if module is not None else []
        targets = [*real, *(each for each in learned if each.requires_grad)]
        total = torch.stack([each.float().square().sum() for each in summed]).sum()
        gradients = [*torch.autograd.grad(total, targets, allow_unused=True)] if targets else []
    return [each.detach() for each in (*outputs, *gradients) if each is not None]


def check_processes(bench: Bench) -> Iterator[Row]:
    """DDP with one process on NCCL (gloo on the CPU): the gradients are those without it."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    backend = "nccl" if bench.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        module = netspec.load("lenet").module(bench.device)
        images = torch.randn(4, 1, 28, 28, device=bench.device)
        gradients = []
        for each in (module, DistributedDataParallel(module)):
            module.zero_grad()
            each(images).square().mean().backward()
            gradients.append(
                [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
            )
        for left, right in zip(*gradients, strict=True):
            torch.testing.assert_close(left, right)
    finally:
        dist.destroy_process_group()
    yield f"DDP with one process on {backend}", "the same gradients", f"{len(gradients[0])} parameters of LeNet"


def check_build(bench: Bench) -> Iterator[Row]:
    """``netspec build --device``, whose ONNX files are held against the module with onnxruntime on that device."""
    for name in ("lenet",) if bench.tiny else ("lenet", "resnet18", "lstm_lm"):
        with tempfile.TemporaryDirectory() as folder:
            words = ["build", name, "--device", str(bench.device), "--only", "onnx", "-o", folder]
            done = subprocess.run(
                [sys.executable, "-m", "netspec", *words], capture_output=True, text=True, timeout=120, check=False
            )
        told = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or [""]
        yield f"`netspec {' '.join(words[:-2])}`", f"exit code {done.returncode}", told[-1].replace(folder, "…")


def check_runtime(bench: Bench) -> Iterator[Row]:
    """The provider that onnxruntime needs for the device."""
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    wanted = "CUDAExecutionProvider" if bench.device.type == "cuda" else "CPUExecutionProvider"
    yield f"onnxruntime {onnxruntime.__version__}", "present" if wanted in providers else "missing", wanted


def guarded(what: str, part: Callable[[], Iterator[tuple[str, str]]]) -> Iterator[Row]:
    """The rows of a part, or one that names why it failed."""
    try:
        for figure, beside in part():
            yield what, figure, beside
    except Exception as error:  # of any kind: the other rows are still wanted
        yield what, "failed", f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def rows(bench: Bench, compiled: bool) -> Iterator[Row]:
    """All rows, the quick ones first."""
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "peak": partial(measure_peak, bench),
        "processes": partial(check_processes, bench),
        "onnxruntime": partial(check_runtime, bench),
        "builds": partial(check_build, bench),
        "ops": partial(check_ops, bench),
        "steps": partial(measure_steps, bench, compiled),
        "book": partial(measure_book, bench),
    }
    for name, part in parts.items():
        if bench.is_over:
            yield name, "not started", "out of time"
            continue
        try:
            yield from part()
        except Exception as error:  # of any kind: the other parts are still wanted
            yield name, "failed", f"{type(error).__name__}: {error}".splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1, cpu")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the script without a GPU")
    parser.add_argument("--eager", action="store_true", help="leave out what torch.compile compiles")
    parser.add_argument("-o", "--output", type=Path, help="write the table into a file too")
    options = parser.parse_args()
    try:
        device = checked_device(options.device)
    except EnvironmentFault as fault:
        sys.exit(str(fault))
    torch.backends.cudnn.allow_tf32 = False  # ops are compared with the CPU
    bench = Bench(device, options.tiny, time.perf_counter() + BUDGET)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU"
    lines = [
        f"# netspec on {name}, torch {torch.__version__}\n",
        "| what | figure | beside it |",
        "| :-- | :-- | :-- |",
    ]
    print("\n".join(lines), flush=True)
    for row in rows(bench, not options.eager):
        lines.append(f"| {' | '.join(cell.replace('|', '∣') for cell in row)} |")
        print(lines[-1], flush=True)
        if options.output is not None:  # after each row: what ends the process leaves those before
            options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
