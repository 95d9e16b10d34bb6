"""Our training loop on both engines against a plain one: CPU seconds, memory, losses.

    python -m tests.benchmarks.bench_training [--quick] [--repetitions 3] [--workload A C]
        [--checkout PATH]

The plain loop is the obvious one: windows materialized in a TensorDataset, a DataLoader, nn.LSTM
with a linear head, AdamW, the default memory settings of the C library. ``torch`` is our loop with
nn.LSTM, ``native`` our loop with the LSTM in C, ``former`` the loop of the commit at ``--checkout``
(one whose packages have no common name, such as 3e2b516). The loops alternate, each in its own
process with one thread. All train on the same batches from the same weights, so their losses must
agree. Start-up, data and the first step are not counted. A step is a batch with its share of the
validation. The peak is the speed of a product of two large matrices in the same run.

Then ``train_unit`` on the newest fold of the default comparison, alternating in one process.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType

from tests.benchmarks.process import last_line_of, medians

BATCH_SIZE = 1024
SEED = 0
AGREEMENT = 1e-5
GOAL = 1.7
LOOPS = ("plain", "torch", "native")
UNITS = ("none", "revin", "batch_norm_hidden")


@dataclass(frozen=True)
class Workload:
    """Size of a panel, and of the network trained on it for ``epochs``."""

    symbols: int
    dates: int
    features: int
    length: int
    hidden: int
    windows: int
    epochs: int = 2
    layers: int = 1
    batch: int = BATCH_SIZE

    @property
    def steps(self) -> int:
        """Batches in all epochs."""
        return self.epochs * -(-self.windows // self.batch)

    @property
    def operations(self) -> float:
        """Floating-point operations of the matrix products of all training steps."""
        inputs = self.features + self.hidden + (self.layers - 1) * 2 * self.hidden
        return 3 * 8 * self.hidden * inputs * self.length * float(self.windows * self.epochs)


WORKLOADS = {
    "A": Workload(symbols=100, dates=2000, features=20, length=20, hidden=64, windows=120_000),
    "B": Workload(
        symbols=100, dates=500, features=6, length=60, hidden=64, windows=12_000, layers=2
    ),
    "C": Workload(symbols=20, dates=8000, features=12, length=40, hidden=32, windows=96_000),
    "D": Workload(
        symbols=20, dates=4000, features=14, length=20, hidden=32, windows=60_000, batch=512
    ),
}
"""D is the size of the default comparison."""


def measured(work: Callable[[], list[float]]) -> dict[str, object]:
    """Losses of ``work``, with its CPU seconds, wall time and peak memory."""
    cpu, wall = time.process_time(), time.perf_counter()
    losses = work()
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "losses": losses,
    }


def part(name: str, checkout: str | None) -> ModuleType:
    """A module of this project, or of the former commit at ``checkout``."""
    if checkout is None:
        return import_module(f"foldproof.{name}")
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
    return import_module(name)


def run(loop: str, load: Workload, checkout: str | None) -> dict[str, object]:
    """Train once in this process, which does nothing else."""
    import torch

    former = checkout if loop == "former" else None
    spec, windowed = part("models.spec", former), part("models.windows", former)
    if loop != "plain":
        part("models.memory", former).keep_activations_mapped()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    shape = (load.dates, load.symbols, load.features)
    values = torch.randn(shape, generator=generator)
    target = values[..., 0] * 0.1 + torch.randn(shape[:2], generator=generator)
    windows = windowed.Windows.of(values, target, load.length)
    held = load.dates - max(1, load.windows // 20 // load.symbols)  # validate on a twentieth
    everyone = torch.ones(shape[:2], dtype=torch.bool)
    train = windowed.eligible(values, everyone, range(held), load.length)
    train = train[torch.randperm(len(train), generator=generator)[: load.windows]]
    validation = windowed.eligible(values, everyone, range(held, load.dates), load.length)
    shape = spec.NetworkSpec(window=load.length, hidden=load.hidden, layers=load.layers)
    training = spec.TrainingSpec(batch_size=load.batch, epochs=load.epochs, patience=load.epochs)
    engine = {"plain": ("torch",), "former": ()}.get(loop, (loop,))
    variant = part("models.normalizers", former).VARIANTS["none"]
    network = part("models.network", former).build(variant, load.features, shape, SEED, *engine)

    def ours() -> list[float]:
        fit = part("models.engine", former).fit
        result = fit(network, windows, train, validation, training, SEED)
        return [epoch.train_loss for epoch in result.curves]

    def plain() -> list[float]:
        return plain_loop(network.lstm, network.head, windows, train, validation, training)

    warm_up(load)
    return measured(plain if loop == "plain" else ours) | {"peak": peak()}


def peak() -> float:
    """Operations a CPU second of a product of two large matrices."""
    import torch

    size, best = 1024, 0.0
    one = torch.randn(size, size)
    for _ in range(10):
        start = time.process_time()
        one @ one
        best = max(best, 2 * size**3 / (time.process_time() - start))
    return best


def warm_up(load: Workload) -> None:
    """One step of a discarded network, since the first step imports and sets up for seconds."""
    import torch

    lstm = torch.nn.LSTM(load.features, load.hidden, load.layers, batch_first=True)
    optimizer = torch.optim.AdamW(lstm.parameters())
    lstm(torch.zeros(2, load.length, load.features))[0].sum().backward()
    optimizer.step()


def plain_loop(lstm, head, windows, train, validation, spec) -> list[float]:
    """The plain loop, on batches in the same order as ours."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from foldproof.models.batches import BATCHES

    whole = TensorDataset(windows.gather(train), windows.target[train])
    held = TensorDataset(windows.gather(validation), windows.target[validation])
    place = torch.empty(len(windows.rows), dtype=torch.int64)
    place[train] = torch.arange(len(train))
    generator = torch.Generator().manual_seed(SEED)
    dates, symbols = windows.date(train), windows.symbol(train)

    class SameOrder:
        def __iter__(self) -> Iterator[list[int]]:
            cut = BATCHES["shuffled"].cut(train, dates, symbols, spec.batch_size, generator)
            return (place[batch].tolist() for batch in cut)

    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay)
    losses = []
    for _ in range(spec.epochs):
        total = 0.0
        for x, y in DataLoader(whole, batch_sampler=SameOrder()):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(head(lstm(x)[0][:, -1]).squeeze(-1), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, spec.clip_norm)
            optimizer.step()
            total += loss.item() * len(y)
        with torch.no_grad():
            for x, _y in DataLoader(held, batch_size=spec.batch_size):
                head(lstm(x)[0][:, -1])
        losses.append(total / len(whole))
    return losses


def compare(
    name: str, repetitions: int, quick: bool, loops: Sequence[str], checkout: Sequence[str]
) -> bool:
    """Print the figures of one workload; return whether losses agree and the goal is met."""
    figures: dict[str, list[dict]] = {loop: [] for loop in loops}
    for _ in range(repetitions):
        for loop, runs in figures.items():
            arguments = ["--one", loop, name, *["--quick"] * quick, *checkout]
            runs.append(json.loads(last_line_of("bench_training", *arguments)))
    load = size(name, quick)
    print(f"workload {name}: {load}")
    top = max(one["peak"] for runs in figures.values() for one in runs)
    for loop, runs in figures.items():
        cpu, wall, rss = medians(runs, ("cpu", "wall", "rss")).values()
        loss, share = runs[0]["losses"][-1], load.operations / cpu / top
        print(
            f"  {loop:6} cpu {cpu:7.2f} s ({1000 * cpu / load.steps:.2f} ms a step, {share:.0%} of "
            f"the peak)  wall {wall:7.2f} s  memory {rss:6.0f} MB  loss {loss:.7f}"
        )
    ours = loops[-1]
    apart = max(
        abs(one - other)
        for loop in loops[:-1]
        for theirs, mine in zip(figures[loop], figures[ours], strict=True)
        for one, other in zip(theirs["losses"], mine["losses"], strict=True)
    )
    medians_of = {}
    for loop in loops[:-1]:
        pairs = zip(figures[loop], figures[ours], strict=True)
        ratios = [theirs["cpu"] / mine["cpu"] for theirs, mine in pairs]
        medians_of[loop] = statistics.median(ratios)
        print(f"  CPU ratio {loop} / {ours}: {spread(ratios)}")
    print(f"  largest difference of losses {apart:.1e}", flush=True)
    return apart <= AGREEMENT and medians_of["plain"] >= GOAL


def compare_units(names: Sequence[str], repetitions: int, checkout: str | None) -> None:
    """Print the CPU seconds of ``train_unit`` on each engine, after one discarded training."""
    import torch

    torch.set_num_threads(1)
    arms = {"former": unit_of(checkout, None)} if checkout else {}
    arms |= {engine: unit_of(None, engine) for engine in ("torch", "native")}
    for name in names:
        seconds: dict[str, list[float]] = {arm: [] for arm in arms}
        for repetition in range(-1, repetitions):
            for arm, spent in seconds.items():
                start = time.process_time()
                arms[arm](name)
                if repetition >= 0:
                    spent.append(time.process_time() - start)
        cpu = ", ".join(f"{arm} {statistics.median(spent):.2f}" for arm, spent in seconds.items())
        print(f"unit {name}: CPU seconds {cpu}", flush=True)
        for arm, spent in seconds.items():
            if arm != "native":
                ratios = [a / b for a, b in zip(spent, seconds["native"], strict=True)]
                print(f"  CPU ratio {arm} / native: {spread(ratios)}", flush=True)


def unit_of(checkout: str | None, engine: str | None) -> Callable[[str], object]:
    """The training of a variant on the newest fold, on an engine, or by the former commit."""
    part("models.memory", checkout).keep_activations_mapped()
    train = part("tasks.train", checkout)
    experiment = part("conf.load", checkout).load("sp500", ["training.epochs=4"])
    panel = part("tasks.data", checkout).build(experiment.data, experiment.target)
    fold = experiment.split.folds(panel.dates, panel.label_end)[-1]
    training = replace(experiment.training, **({"engine": engine} if engine else {}))
    rest = (fold, 0, experiment.network, training, panel.fingerprint, "bench")
    return lambda name: train.train_unit(train.Unit(name, *rest), panel)


def spread(ratios: Sequence[float]) -> str:
    """Their median, smallest and largest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def size(name: str, quick: bool) -> Workload:
    """A workload, or a tenth of it."""
    load = WORKLOADS[name]
    tenth = load.windows // 10
    return Workload(**{**vars(load), "windows": tenth}) if quick else load


def main() -> int:
    """Run the benchmark; return 1 if losses differ or the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the windows")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=[*WORKLOADS])
    parser.add_argument("--unit", nargs="*", default=UNITS, metavar="VARIANT")
    parser.add_argument("--one", nargs=2, metavar=("LOOP", "WORKLOAD"), help=argparse.SUPPRESS)
    parser.add_argument("--checkout", help="folder of a former commit, such as 3e2b516")
    parser.add_argument("--kernel", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kernel:
        from foldproof.models.native.kernel import kernel

        print(kernel() is not None)
        return 0
    if options.one:
        loop, name = options.one
        print(json.dumps(run(loop, size(name, options.quick), options.checkout)))
        return 0
    built = kernel_is_built()
    loops = LOOPS if built else LOOPS[:-1]
    checkout = ["--checkout", options.checkout] if options.checkout else []
    loops = ("former", *loops) if checkout else loops
    met = [
        compare(name, options.repetitions, options.quick, loops, checkout)
        for name in options.workload
    ]
    if built:
        compare_units(options.unit, options.repetitions, options.checkout)
    return 0 if all(met) else 1


def kernel_is_built() -> bool:
    """Whether the native LSTM runs here, asked in another process: children inherit memory."""
    return last_line_of("bench_training", "--kernel") == "True"


if __name__ == "__main__":
    sys.exit(main())
