"""Cost of an audit relative to one training of the variant, on the newest fold.

``python -m tests.benchmarks.bench_audit [VARIANT ...]`` trains each variant of the default
comparison before and after its audit, audits it with ``--quick`` too, and prints CPU seconds and
ratios, by variant and in total. The tests of the panel run once for all variants and have a line of
their own; ``alone`` is the ratio of a variant's audit including them. One thread.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch

from foldproof.conf.load import load
from foldproof.models.memory import keep_activations_mapped
from foldproof.tasks.data import build
from foldproof.tasks.diagnose.task import audit_panel, audit_variant
from foldproof.tasks.diagnose.variant import OwnForecaster, OwnRows
from foldproof.tasks.train import Unit, train_unit


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of ``call``."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main(names: Sequence[str] | None = None) -> None:
    """Train and audit the variants one after the other; print each as it finishes."""
    torch.set_num_threads(1)
    keep_activations_mapped()
    experiment = load("sp500")
    panel = build(experiment.data, experiment.target)
    fold = experiment.split.folds(panel.dates, panel.label_end)[-1]
    network, training, seed = experiment.network, experiment.training, experiment.seeds[0]
    spec, embargo = experiment.audit, experiment.split.embargo
    rows = OwnRows(experiment.data, experiment.target, network.window)
    totals = [0.0, 0.0, 0.0]
    first = Unit("none", fold, seed, network, training, panel.fingerprint, "bench")
    train_unit(replace(first, training=replace(training, epochs=1)), panel)  # imports of torch
    shared, panels = {}, []
    for quick in (False, True):
        start = time.process_time()
        shared[quick] = audit_panel.fn(rows, fold, spec, quick).value
        panels.append(time.process_time() - start)
    print(f"{'variant':<20} training   audit (ratio, alone)   quick (ratio, alone)   [CPU seconds]")
    for name in names or experiment.variants:
        unit = Unit(name, fold, seed, network, training, panel.fingerprint, "bench")
        own = OwnForecaster(name, experiment.data, experiment.target, network, training, seed)
        audits = (
            partial(audit_variant.fn, own, fold, embargo, spec, quick, shared[quick])
            for quick in (False, True)
        )
        train = partial(train_unit, unit, panel)
        once, whole, again, quickly = map(cpu_seconds, (train, next(audits), train, next(audits)))
        spent = ((once + again) / 2, whole, quickly)
        totals = [a + b for a, b in zip(totals, spent, strict=True)]
        show(name, spent, panels)
    show("all", totals, panels)
    print(f"{'the panel, once':<29}   {panels[0]:5.1f}                  {panels[1]:5.1f}")


def show(name: str, spent: Sequence[float], panels: Sequence[float]) -> None:
    """One line: CPU seconds of training, audit and quick audit, with and without the panel's."""
    training, *audits = spent
    cells = (
        f"{own:5.1f} ({own / training:.2f}, {(own + panel) / training:.2f})"
        for own, panel in zip(audits, panels, strict=True)
    )
    print(f"{name:<20} {training:8.1f}   {'     '.join(cells)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*")
    main(parser.parse_args().variants)
