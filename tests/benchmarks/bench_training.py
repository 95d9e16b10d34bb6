"""Our training loop against a plain one: CPU seconds, wall time, memory, losses.

    python -m tests.benchmarks.bench_training [--quick] [--repetitions 3] [--workload A C]

The plain loop is the obvious one: windows materialized in a TensorDataset, a DataLoader, nn.LSTM
with a linear head, AdamW, the default memory settings of the C library. The two loops alternate,
each run in its own process with one thread. Both train on the same batches from the same weights,
so their losses must agree. Start-up, data and the first step are not counted.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.benchmarks.process import last_line_of, medians

BATCH_SIZE = 1024
SEED = 0
AGREEMENT = 1e-5
GOAL = 1.7


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


WORKLOADS = {
    "A": Workload(symbols=100, dates=2000, features=20, length=20, hidden=64, windows=120_000),
    "C": Workload(symbols=20, dates=8000, features=12, length=40, hidden=32, windows=96_000),
}


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


def run(loop: str, load: Workload) -> dict[str, object]:
    """Train once in this process, which does nothing else."""
    import torch

    from foldproof.models.memory import keep_activations_mapped
    from foldproof.models.network import build
    from foldproof.models.normalizers import VARIANTS
    from foldproof.models.spec import NetworkSpec, TrainingSpec
    from foldproof.models.windows import Windows, eligible

    if loop == "ours":
        keep_activations_mapped()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    shape = (load.dates, load.symbols, load.features)
    values = torch.randn(shape, generator=generator)
    target = values[..., 0] * 0.1 + torch.randn(shape[:2], generator=generator)
    windows = Windows.of(values, target, load.length)
    held = load.dates - max(1, load.windows // 20 // load.symbols)  # validate on a twentieth
    everyone = torch.ones(shape[:2], dtype=torch.bool)
    train = eligible(values, everyone, range(held), load.length)
    train = train[torch.randperm(len(train), generator=generator)[: load.windows]]
    validation = eligible(values, everyone, range(held, load.dates), load.length)
    spec = NetworkSpec(window=load.length, hidden=load.hidden)
    training = TrainingSpec(batch_size=BATCH_SIZE, epochs=load.epochs, patience=load.epochs)
    network = build(VARIANTS["none"], load.features, spec, SEED)

    def ours() -> list[float]:
        from foldproof.models.engine import fit

        result = fit(network, windows, train, validation, training, SEED)
        return [epoch.train_loss for epoch in result.curves]

    def plain() -> list[float]:
        return plain_loop(network.lstm, network.head, windows, train, validation, training)

    warm_up(load)
    return measured(ours if loop == "ours" else plain)


def warm_up(load: Workload) -> None:
    """One step of a discarded network, since the first step imports and sets up for seconds."""
    import torch

    lstm = torch.nn.LSTM(load.features, load.hidden, batch_first=True)
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


def compare(name: str, repetitions: int, quick: bool) -> bool:
    """Print the figures of one workload; return whether losses agree and the goal is met."""
    figures: dict[str, list[dict]] = {"plain": [], "ours": []}
    for _ in range(repetitions):
        for loop, runs in figures.items():
            arguments = ["--one", loop, name, *["--quick"] * quick]
            runs.append(json.loads(last_line_of("bench_training", *arguments)))
    print(f"workload {name}: {size(name, quick)}")
    for loop, runs in figures.items():
        cpu, wall, rss = medians(runs, ("cpu", "wall", "rss")).values()
        loss = runs[0]["losses"][-1]
        print(f"  {loop:6} cpu {cpu:7.2f} s  wall {wall:7.2f} s  peak {rss:6.0f} MB  {loss:.7f}")
    pairs = list(zip(figures["plain"], figures["ours"], strict=True))
    ratios = [plain["cpu"] / ours["cpu"] for plain, ours in pairs]
    apart = max(
        abs(one - other)
        for plain, ours in pairs
        for one, other in zip(plain["losses"], ours["losses"], strict=True)
    )
    ratio = statistics.median(ratios)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"  CPU ratio {ratio:.2f} ({spread}), largest difference of losses {apart:.1e}")
    return apart <= AGREEMENT and ratio >= GOAL


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
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--one", nargs=2, metavar=("LOOP", "WORKLOAD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        loop, name = options.one
        print(json.dumps(run(loop, size(name, options.quick))))
        return 0
    met = [compare(name, options.repetitions, options.quick) for name in options.workload]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
