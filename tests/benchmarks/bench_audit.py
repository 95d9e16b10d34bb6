"""What an audit of a variant costs, in trainings of that variant, on the newest fold.

``python -m tests.benchmarks.bench_audit [VARIANT ...]`` trains each variant of the default
comparison once, audits it, audits it with ``--quick``, and prints CPU seconds and their ratios, and
those of the sums. One thread.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from conf.load import load
from models.memory import keep_activations_mapped
from tasks.data import build
from tasks.diagnose.own import OwnForecaster
from tasks.diagnose.task import audit_variant
from tasks.train import Unit, train_unit


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of ``call``."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main(names: Sequence[str] | None = None) -> None:
    """Train and audit the variants, one after the other; print as they finish."""
    torch.set_num_threads(1)
    keep_activations_mapped()
    experiment = load("sp500")
    panel = build(experiment.data, experiment.target)
    fold = experiment.split.folds(panel.dates, panel.label_end)[-1]
    network, training, seed = experiment.network, experiment.training, experiment.seeds[0]
    totals = [0.0, 0.0, 0.0]
    print(f"{'variant':<20} training   audit (ratio)   quick (ratio)   [CPU seconds]", flush=True)
    for name in names or experiment.variants:
        unit = Unit(name, fold, seed, network, training, panel.fingerprint, "bench")
        own = OwnForecaster(name, experiment.data, experiment.target, network, training, seed)
        audit = partial(
            audit_variant.fn, own, fold, experiment.split.embargo, experiment.audit
        )  # fmt: skip
        calls = (partial(train_unit, unit, panel), partial(audit, False), partial(audit, True))
        spent = [cpu_seconds(call) for call in calls]
        totals = [a + b for a, b in zip(totals, spent, strict=True)]
        show(name, *spent)
    show("all", *totals)


def show(name: str, training: float, audit: float, quick: float) -> None:
    """One line."""
    print(
        f"{name:<20} {training:8.1f}   {audit:5.1f} ({audit / training:.2f})    "
        f"{quick:5.1f} ({quick / training:.2f})",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*")
    main(parser.parse_args().variants)
