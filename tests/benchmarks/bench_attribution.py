"""Integrated gradients against captum with 50 steps: CPU seconds, wall time, memory, error.

    python -m tests.benchmarks.bench_attribution [--quick] [--windows 2048 50000] [--dtype float32]

The forecaster is the network of the default comparison (LSTM of 32, weights frozen), trained for a
few epochs on a panel with interactions, so that it is nonlinear along the path. Three arms run in
alternation, each in its own process with one thread:

    ours     resolved_gradients, nodes raised until no sample has a larger error than captum's
    captum   one call of IntegratedGradients with n_steps 50; internal_batch_size is the number of
             windows, the smallest it allows
    sliced   captum called with 512 windows at a time, its fastest and smallest setting

Memory is the peak of the process less its peak before the work, once inputs and network are loaded.
The error is f(x) - f(x') less the sum of the attributions, by a float64 network, relative to the
spread of the forecasts. Goal: a quarter of the CPU of the faster captum arm and half the memory of
its single call, with no larger error. In the sliced arm most of the memory is the results.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.process import last_line_of, medians

HIDDEN, EPOCHS, STEPS, SLICE, SEED = 32, 4, 50, 512, 0
CPU_GOAL, MEMORY_GOAL = 4.0, 0.5
ARMS = ("ours", "captum", "sliced")


@dataclass(frozen=True)
class Effort:
    """Settings of our arm with which its error is no larger than captum's."""

    nodes: int
    tolerance: float
    doublings: int


EFFORTS = {
    ("float32", "zero"): Effort(16, 4e-7, 1),
    ("float32", "draw"): Effort(14, 5e-7, 1),
    ("float64", "zero"): Effort(14, 2e-9, 2),
    ("float64", "draw"): Effort(14, 2e-9, 2),
}
SHAPES = {"20x20": (20, 20), "60x6": (60, 6)}


@dataclass(frozen=True)
class Job:
    """One arm on one workload."""

    arm: str
    shape: str
    windows: int
    dtype: str
    against: str
    weights: str


def trained(length: int, features: int, path: Path) -> None:
    """Train the forecaster on a target with products and kinks of features; save its weights."""
    import torch

    from foldproof.models.engine import fit
    from foldproof.models.network import build
    from foldproof.models.normalizers import VARIANTS
    from foldproof.models.spec import NetworkSpec, TrainingSpec
    from foldproof.models.windows import Windows, eligible

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    values = torch.randn(800, 40, features, generator=generator)
    target = values[..., 0] * values[..., 1] + torch.tanh(2 * values[..., 2])
    target[1:] += values[:-1, :, 3].abs()
    target = (target - target.mean()) / target.std()
    target += torch.randn(target.shape, generator=generator)
    windows = Windows.of(values, target, length)
    everyone = torch.ones(target.shape, dtype=torch.bool)
    blocks = [eligible(values, everyone, rows, length) for rows in (range(600), range(600, 800))]
    network = build(VARIANTS["none"], features, NetworkSpec(window=length, hidden=HIDDEN), SEED)
    spec = TrainingSpec(batch_size=256, epochs=EPOCHS, learning_rate=2e-3, device="cpu")
    torch.save(fit(network, windows, *blocks, spec, SEED).weights, path)


def run(job: Job) -> dict[str, float]:
    """Attribute once in this process, which does nothing else."""
    import torch

    from foldproof.models.network import build
    from foldproof.models.normalizers import VARIANTS
    from foldproof.models.spec import NetworkSpec

    torch.set_num_threads(1)
    length, features = SHAPES[job.shape]
    forecaster = build(VARIANTS["none"], features, NetworkSpec(window=length, hidden=HIDDEN), SEED)
    forecaster.load_state_dict(torch.load(job.weights))
    network = alone(forecaster.requires_grad_(False).eval()).to(getattr(torch, job.dtype))
    generator = torch.Generator().manual_seed(SEED + 1)
    shape = (job.windows, length, features)
    inputs = torch.randn(shape, generator=generator, dtype=getattr(torch, job.dtype))
    baseline = torch.randn(shape, generator=generator) if job.against == "draw" else None
    baseline = baseline if baseline is None else baseline.to(inputs)
    attribute = ATTRIBUTE[job.arm](network, job)
    attribute(inputs[:2], baseline if baseline is None else baseline[:2])  # the first call sets up
    before = peak()
    cpu, wall = time.process_time(), time.perf_counter()
    attributions, points = attribute(inputs, baseline)
    figures = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "memory": peak() - before,
        "points": float(points),
    }
    return figures | completeness_error(network, attributions, inputs, baseline)


def alone(forecaster: Any) -> Any:
    """The forecaster as a module of windows only, since none of its normalizers reads dates."""
    import torch

    class Alone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.forecaster = forecaster

        def forward(self, windows: Any) -> Any:
            return self.forecaster(windows, torch.zeros(len(windows), dtype=torch.int64))

    return Alone()


def peak() -> float:
    """Peak memory of this process in MiB (Linux reports KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def completeness_error(
    network: Any, attributions: Any, inputs: Any, baseline: Any
) -> dict[str, float]:
    """Root mean square and largest completeness error, by a float64 network."""
    import torch

    exact = deepcopy(network).double()

    def forecasts(points: Any) -> Any:
        with torch.no_grad():
            return torch.cat([exact(part.double()) for part in points.split(SLICE)])

    ends = (
        forecasts(inputs),
        forecasts(torch.zeros_like(inputs[:1]) if baseline is None else baseline),
    )
    totals = torch.cat([part.double().sum((1, 2)) for part in attributions.split(SLICE)])
    error = (totals - (ends[0] - ends[1])).abs() / ends[0].std()
    return {"rms": float(error.square().mean().sqrt()), "max": float(error.max())}


def ours(network: Any, job: Job) -> Callable[[Any, Any], tuple[Any, float]]:
    """Resolved gradients."""
    from foldproof.tasks.attribute import resolved_gradients

    effort = EFFORTS[job.dtype, job.against]

    def attribute(inputs: Any, baseline: Any) -> tuple[Any, float]:
        start = 0.0 if baseline is None else baseline
        paths = resolved_gradients(
            network, inputs, start, effort.nodes,
            tolerance=effort.tolerance, doublings=effort.doublings,
        )  # fmt: skip
        return paths.attributions, paths.points

    return attribute


def captum(network: Any, job: Job) -> Callable[[Any, Any], tuple[Any, float]]:
    """Captum in one call."""
    import torch
    from captum.attr import IntegratedGradients

    explainer = IntegratedGradients(network)

    def attribute(inputs: Any, baseline: Any) -> tuple[Any, float]:
        with torch.backends.cudnn.flags(enabled=False):
            found = explainer.attribute(
                inputs, baseline, n_steps=STEPS, internal_batch_size=len(inputs)
            )
            return found, STEPS

    return attribute


def sliced(network: Any, job: Job) -> Callable[[Any, Any], tuple[Any, float]]:
    """Captum on slices of the windows; results are detached, as stored results should be."""
    import torch

    whole = captum(network, job)

    def attribute(inputs: Any, baseline: Any) -> tuple[Any, float]:
        found = torch.empty_like(inputs)
        for rows in torch.arange(len(inputs)).split(SLICE):
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            start = baseline if baseline is None else baseline[part]
            found[part] = whole(inputs[part], start)[0].detach()
        return found, STEPS

    return attribute


ATTRIBUTE = {"ours": ours, "captum": captum, "sliced": sliced}


def compare(
    shape: str, windows: int, dtype: str, against: str, repetitions: int, weights: str
) -> bool:
    """Print the figures of one workload; return whether the goals are met."""
    figures: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(repetitions):
        for arm, runs in figures.items():
            job = Job(arm, shape, windows, dtype, against, weights)
            line = last_line_of("bench_attribution", "--one", json.dumps(vars(job)))
            runs.append(json.loads(line))
    middle = {arm: medians(runs, [*runs[0]]) for arm, runs in figures.items()}
    print(f"{windows} windows of {shape}, {dtype}, baseline {against}", flush=True)
    for arm, of in middle.items():
        print(
            f"  {arm:6} cpu {of['cpu']:7.2f} s  wall {of['wall']:7.2f} s  peak {of['memory']:6.0f} "
            f"MiB  {of['points']:4.1f} gradients per window  error rms {of['rms']:.1e}, "
            f"largest {of['max']:.1e}"
        )
    mine, fast = middle["ours"], min((middle[arm] for arm in ARMS[1:]), key=lambda of: of["cpu"])
    ratio = fast["cpu"] / mine["cpu"]
    shares = [mine["memory"] / middle[arm]["memory"] for arm in ARMS[1:]]
    print(
        f"  cpu of captum / ours {middle['captum']['cpu'] / mine['cpu']:.1f}, sliced / ours "
        f"{middle['sliced']['cpu'] / mine['cpu']:.1f}; memory ours / captum {shares[0]:.2f}, "
        f"ours / sliced {shares[1]:.2f}",
        flush=True,
    )
    exact = mine["rms"] <= fast["rms"] and mine["max"] <= fast["max"]
    return exact and ratio >= CPU_GOAL and shares[0] <= MEMORY_GOAL


def main() -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="512 windows, once")
    parser.add_argument("--windows", nargs="+", type=int, default=[2048, 50_000])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--dtype", nargs="+", choices=["float32", "float64"], default=["float32"])
    parser.add_argument("--against", nargs="+", choices=["zero", "draw"], default=["zero"])
    parser.add_argument("--repetitions", type=int, default=3, help="up to 10,000 windows")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--train", nargs=2, metavar=("SHAPE", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(Job(**options.one))))
        return 0
    if options.train:
        trained(*SHAPES[options.train[0]], Path(options.train[1]))
        print(options.train[1])
        return 0
    sizes = [512] if options.quick else options.windows
    met = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes:
            weights = Path(folder) / f"{shape}.pt"
            last_line_of("bench_attribution", "--train", shape, str(weights))
            for windows in sizes:
                often = 1 if options.quick or windows > 10_000 else options.repetitions
                for dtype in options.dtype:
                    for against in options.against:
                        met.append(compare(shape, windows, dtype, against, often, str(weights)))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
