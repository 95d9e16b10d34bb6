"""Do attributions find the cells that are known to matter? White boxes and planted panels.

    python -m tests.benchmarks.bench_truth [--quick] [--only arma hmm panels]

On the ARMA and hidden Markov sets our methods are printed beside the published figures. Then one
network per normalization is trained on panels with a planted signal (conf/truth.yaml). Each method
gets two areas under the precision-recall curve: the mean over test windows, where the relevant
cells are those the true signal of the window depends on; and that of the importance map, the mean
absolute attribution over windows.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from foldproof.conf.load import load
from foldproof.conf.schema import Experiment
from foldproof.models.memory import keep_activations_mapped
from foldproof.models.network import build as build_network
from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute.baselines.sampling import cut, draw, spread_samples
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data import Panel, build
from foldproof.tasks.data.synthetic.truth import relevance, signal_of
from foldproof.tasks.split import plan_hash
from foldproof.tasks.train import TrainedUnit, Unit, train_unit
from tests.benchmarks import arma, hmm
from tests.benchmarks.explainers import METHODS, OURS, Explain, captum_integrated_gradients
from tests.benchmarks.published import FIGURES, PUBLISHED
from tests.benchmarks.recovery import average_precision, mean_average_precision, recovery
from tests.benchmarks.truth import slopes, terms_of

PANELS = ("linear", "lagged", "interaction", "sign_flip", "switching")
UNTRAINED = "integrated gradients, untrained"
"""The line to beat: even an untrained recurrent network weighs the newest rows most."""
VARIANTS = ("none", "zscore", "layer_norm", "instance_norm", "revin")
WINDOWS = 400
"""Test windows explained per unit."""


def arma_figures(name: str, method: Explain, seed: int) -> np.ndarray:
    """(6,) figures of a method on one draw of a rare set; the baseline is 0."""
    box = arma.draw(name, seed)
    found = arma.attributed(box, method, torch.zeros(box.series.shape))
    return np.array(recovery(box.relevant, found))


def hmm_figures(relevant: np.ndarray, found: np.ndarray) -> dict[str, np.ndarray]:
    """(6,) figures of attributions (N, T, 3), for two readings; see the warning in ``published``.

    For whole sequences, information and entropy are means per sequence, each with 200 relevant
    cells, as the published set seems to have. The model reads no later steps, so attributions of a
    shorter sequence are the first ones of a longer sequence.
    """
    whole = np.array(recovery(relevant, found))
    for name in ("information", "entropy"):
        whole[FIGURES.index(name)] /= len(found)
    blocks = [
        recovery(relevant[start : start + 10, :20], found[start : start + 10, :20])
        for start in range(0, len(found), 10)
    ]
    return {"200 steps": whole, "10 x 20 steps": np.mean(blocks, axis=0)}


def white_box_row(label: str, mean: Sequence[float], spread: Sequence[float]) -> str:
    """One line of a white-box table; an unknown spread is left out."""
    shown = [
        f"{m:7.{digits}f} ±{s:6.{digits}f}" if np.isfinite(s) else f"{m:7.{digits}f}" + 8 * " "
        for m, s, digits in zip(mean, spread, (3, 4, 1, 1, 3, 3), strict=False)
    ]
    return f"  {label:<60}" + " ".join(shown)


def print_published(name: str) -> None:
    """Print the head of a table and the published lines."""
    print(f"\n{name}: mean ± standard deviation", flush=True)
    print(f"  {'':<60}" + " ".join(f"{figure:>15}" for figure in FIGURES))
    for method, pairs in PUBLISHED[name].items():
        print(white_box_row(f"published: {method}", *zip(*pairs, strict=True)))


def print_ours(method: str, figures: Sequence[np.ndarray]) -> None:
    """Print our line, over seeds."""
    spread = np.std(figures, axis=0, ddof=1) if len(figures) > 1 else np.full(6, np.nan)
    print(white_box_row(f"ours: {method}", np.mean(figures, axis=0), spread), flush=True)


def bench_arma(seeds: Sequence[int]) -> None:
    """Print the two rare sets."""
    for name in arma.RARE:
        print_published(name)
        compared = OURS | {"integrated gradients by captum": captum_integrated_gradients}
        for label, method in compared.items():
            print_ours(label, [arma_figures(name, method, seed) for seed in seeds])


def bench_hmm(seeds: Sequence[int]) -> None:
    """Print the hidden Markov set: one classifier per seed, and the true conditional."""
    print_published("hmm")
    tests = [hmm.draw(hmm.TEST, 1000 + seed) for seed in seeds]
    networks = [hmm.train(hmm.draw(hmm.TRAIN, seed), seed) for seed in seeds]
    for label, method in OURS.items():
        print_hmm(f"{label}, GRU", networks, tests, method)
    ideal = [None] * len(tests)
    print_hmm("integrated gradients, true conditional", ideal, tests, OURS["integrated gradients"])


def print_hmm(
    label: str,
    models: Sequence[hmm.Classifier | None],
    tests: Sequence[hmm.Sequences],
    method: Explain,
) -> None:
    """Print our lines of the hidden Markov set, one per reading, over models and test sets."""
    found = [
        hmm_figures(test.relevant, hmm.attributed(model, test.x, method))
        for model, test in zip(models, tests, strict=True)
    ]
    for reading in found[0]:
        print_ours(f"{label}, {reading}", [one[reading] for one in found])


def trained_on(panel: Panel, experiment: Experiment, variant: str) -> TrainedUnit:
    """One network on the experiment's only fold, first seed."""
    (fold,) = experiment.split.folds(panel.dates, panel.label_end)
    unit = Unit(
        variant, fold, experiment.seeds[0], experiment.network, experiment.training,
        panel.fingerprint, plan_hash((fold,)),
    )  # fmt: skip
    return train_unit(unit, panel)


def untrained(trained: TrainedUnit, n_features: int) -> TrainedUnit:
    """The unit with its initial weights."""
    unit = trained.unit
    network = build_network(resolve(unit.variant), n_features, unit.network, unit.seed)
    weights = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    return replace(trained, weights=weights)


def panel_figures(
    panel: Panel, trained: TrainedUnit, methods: Mapping[str, Explain], windows: int = WINDOWS
) -> tuple[dict[str, tuple[float, float]], float, float]:
    """AUPRC by method (mean over windows, importance map), with two reference figures.

    Returns:
        The figures; the AUPRC per window of a random order, which is the share of relevant cells;
        the correlation of the network's test forecasts with the true signal.
    """
    unit, generator = unit_inputs(trained, panel), torch.Generator().manual_seed(0)
    chosen = spread_samples(unit.test, windows, generator)
    inputs = unit.windows(chosen)
    baseline = unit.windows(draw(unit.train, len(chosen), generator))
    of_rows = unit.forward(chosen)

    def forward(points: Tensor) -> Tensor:  # no variant here couples samples, so any row will do
        return of_rows(points, torch.zeros(len(points), dtype=torch.int64))

    terms = terms_of(panel.about)
    raw = cut(torch.from_numpy(panel.values.copy()), chosen, inputs.shape[1]).numpy()
    relevant = slopes(terms, raw, panel.features) != 0
    matters = relevance(terms, panel.features, inputs.shape[1]) > 0
    figures = {}
    for name, method in methods.items():
        size = method(forward, inputs, baseline).abs().numpy()
        figures[name] = (
            mean_average_precision(relevant, size),
            average_precision(matters, size.mean(0)),
        )
    best = signal_of(terms, raw, panel.features)
    learned = np.corrcoef(forward(inputs).numpy(), best)[0, 1]
    return figures, float(relevant.mean()), float(learned)


def variant_figures(
    panel: Panel, experiment: Experiment, variant: str
) -> tuple[dict[str, tuple[float, float]], float, float]:
    """:func:`panel_figures` of a newly trained network, with the line of the untrained one."""
    trained = trained_on(panel, experiment, variant)
    figures, chance, learned = panel_figures(panel, trained, METHODS)
    before = untrained(trained, len(panel.features))
    one = {UNTRAINED: METHODS["integrated gradients"]}
    return figures | panel_figures(panel, before, one)[0], chance, learned


def bench_panels(panels: Sequence[str], variants: Sequence[str]) -> None:
    """Print every panel, variant and method."""
    print("\nAUPRC on planted panels: mean over test windows / of the importance map")
    for source in panels:
        experiment = load("truth", [f"data.source={source}"])
        panel = build(experiment.data, experiment.target)
        found = {variant: variant_figures(panel, experiment, variant) for variant in variants}
        print(f"  {source:<36}" + " ".join(f"{variant:>14}" for variant in variants))
        for name in (*METHODS, UNTRAINED):
            cells = [found[variant][0][name] for variant in variants]
            shown = " ".join(f"{window:7.3f} /{whole:5.2f}" for window, whole in cells)
            print(f"    {name:<34}{shown}")
        for label, k in (("random order", 1), ("correlation with the true signal", 2)):
            shown = " ".join(f"{found[variant][k]:7.3f}       " for variant in variants)
            print(f"    {label:<34}{shown}", flush=True)


def parts(quick: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    """The benchmarks by name; fewer seeds, panels and variants if ``quick``."""
    yield "arma", lambda: bench_arma(range(2 if quick else 30))
    yield "hmm", lambda: bench_hmm(range(1 if quick else 3))
    some = (("linear", "switching"), ("none", "revin")) if quick else (PANELS, VARIANTS)
    yield "panels", lambda: bench_panels(*some)


def main(quick: bool = False, only: Sequence[str] = ()) -> None:
    """Print the tables of the chosen parts and the CPU seconds of each."""
    keep_activations_mapped()
    torch.set_num_threads(1)
    for name, work in parts(quick):
        if not only or name in only:
            start = time.process_time()
            work()
            print(f"  ({name}: {time.process_time() - start:.0f} CPU s)", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds, panels and variants")
    parser.add_argument("--only", nargs="*", default=(), choices=("arma", "hmm", "panels"))
    given = parser.parse_args()
    main(given.quick, given.only)
