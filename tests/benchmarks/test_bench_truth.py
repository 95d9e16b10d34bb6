import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from foldproof.conf.load import load
from foldproof.tasks.attribute import integrated_gradients
from foldproof.tasks.data import build
from tests.benchmarks import arma, hmm
from tests.benchmarks.bench_truth import (
    PANELS,
    arma_figures,
    hmm_figures,
    panel_figures,
    trained_on,
    untrained,
)
from tests.benchmarks.explainers import METHODS, OURS, captum_integrated_gradients
from tests.benchmarks.published import FIGURES, PUBLISHED
from tests.benchmarks.recovery import recovery

GRADIENTS = METHODS["integrated gradients"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", arma.RARE)
def test_the_rare_sets_have_the_defined_cells(name: str) -> None:
    box = arma.draw(name, 0)
    assert box.series.shape == box.relevant.shape == (10, 50, 50)
    per_sample = box.relevant.sum((1, 2))
    assert set(per_sample) == {125}  # 5 of 50, over 25
    times, features = box.relevant.any(2), box.relevant.any(1)
    few, many = (features, times) if name == "rare-feature" else (times, features)
    assert set(few.sum(1)) == {5}
    assert all((np.flatnonzero(one) == np.arange(12, 37)).all() for one in many)
    assert len({tuple(np.flatnonzero(one)) for one in few}) > 5  # drawn for each sample
    if name == "rare-time":
        assert all(np.ptp(np.flatnonzero(one)) == 4 for one in few)


def test_the_series_follow_the_recursion() -> None:
    x = arma.draw("rare-time", 3).series
    shock = x[:, 3:] + x[:, 2:-1] / 4 + x[:, 1:-2] / 10 + x[:, :-3] / 20
    assert shock.std() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(shock[:, 1:].ravel(), shock[:, :-1].ravel())[0, 1]) < 0.02


def test_the_attributions_of_a_sum_of_squares_are_the_squares() -> None:
    box = arma.draw("rare-feature", 1)
    found = arma.attributed(box, GRADIENTS, torch.zeros(box.series.shape))
    np.testing.assert_allclose(found, box.series**2 * box.relevant, atol=1e-12)


@pytest.mark.parametrize("name", arma.RARE)
def test_our_figures_on_arma_equal_the_published_ones(name: str) -> None:
    ours = np.array([arma_figures(name, GRADIENTS, seed) for seed in range(10)])
    for k, (mean, spread) in enumerate(PUBLISHED[name]["integrated gradients"]):
        error = np.hypot(spread / 5**0.5, ours[:, k].std(ddof=1) / 10**0.5)
        assert abs(ours[:, k].mean() - mean) < 4 * error + 5e-4, FIGURES[k]


def test_captum_agrees_on_arma() -> None:
    box = arma.draw("rare-time", 2)
    zeros = torch.zeros(box.series.shape, dtype=torch.float64)
    ours, theirs = (
        arma.attributed(box, method, zeros) for method in (GRADIENTS, captum_integrated_gradients)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_hidden_markov_set_has_the_defined_moments() -> None:
    data = hmm.draw(400, 0)
    assert (data.relevant.sum(2) == 1).all()
    for state in (0, 1):
        x = data.x[data.state == state]
        np.testing.assert_allclose(x.mean(0), hmm.MEANS[state], atol=0.02)
        np.testing.assert_allclose(np.cov(x.T), hmm.covariance(state), atol=0.02)
        deciding = x[:, hmm.IMPORTANT[state]]
        chance = 1 / (1 + np.exp(-2 * deciding))
        assert data.label[data.state == state].mean() == pytest.approx(chance.mean(), abs=0.01)


def test_a_long_lasting_state_is_left_more_often() -> None:
    state = hmm.draw(3000, 1).state
    run = np.zeros(state.shape, int)
    for step in range(1, state.shape[1]):
        run[:, step] = np.where(state[:, step] == state[:, step - 1], run[:, step - 1] + 1, 0)
    left, went = state[:, 10:-1] == 1, state[:, 11:]  # the unknown initial state no longer matters
    lasted = run[:, 10:-1]
    for low, high in ((0, 5), (15, 25), (30, 45)):
        here = left & (lasted >= low) & (lasted < high)
        expected = (0.95 - lasted[here] / 500).mean()
        error = np.sqrt(expected * (1 - expected) / here.sum())
        assert abs(went[here].mean() - expected) < 4 * error
    assert went[~left].mean() == pytest.approx(0.05, abs=0.002)


def test_the_true_conditional_equals_the_sum_over_all_paths() -> None:
    x = torch.from_numpy(hmm.draw(3, 1).x[:, :4]).double()
    expected = torch.stack([by_enumeration(one) for one in x])
    torch.testing.assert_close(hmm.true_logits(x), expected)


def by_enumeration(x: Tensor) -> Tensor:
    """(T,) log odds of label 1 after each row of (T, 3), from every sequence of states."""
    out = []
    for length in range(1, len(x) + 1):
        joint, sure = 0.0, 0.0
        for path in np.ndindex(*(2,) * (length + 1)):
            weight, run = 0.5, 0
            for step in range(length):
                one = 0.95 - run / 500 if path[step] else 0.05
                weight *= one if path[step + 1] else 1 - one
                run = run + 1 if path[step + 1] == path[step] else 0
                away = x[step].numpy() - np.array(hmm.MEANS[path[step + 1]])
                inverse = np.linalg.inv(hmm.covariance(path[step + 1]))
                weight *= np.exp(-0.5 * away @ inverse @ away)
            joint += weight
            deciding = float(x[length - 1, hmm.IMPORTANT[path[-1]]])
            sure += weight / (1 + np.exp(-2 * deciding))
        out.append(np.log(sure / (joint - sure)))
    return torch.tensor(out, dtype=torch.float64)


@pytest.fixture(scope="module")
def network() -> hmm.Classifier:
    return hmm.train(hmm.draw(64, 0), 0, epochs=2)


def test_one_step_equals_the_step_of_the_whole_pass(network: hmm.Classifier) -> None:
    x = torch.from_numpy(hmm.draw(4, 2).x)[:, :30]
    by_step = network.by_step(x)
    for last in (0, 1, 29):
        torch.testing.assert_close(by_step[:, last], network(x[:, : last + 1]), atol=1e-5, rtol=0)


def test_one_pass_equals_one_pass_per_prefix(network: hmm.Classifier) -> None:
    """The published code explains each prefix and keeps the attributions of its last row."""
    sequences = hmm.draw(3, 5).x[:, :6]
    ours = hmm.attributed(
        network, sequences, lambda f, x, base: integrated_gradients(f, x, base, nodes=50)[0]
    )
    for step in range(6):
        prefix = torch.from_numpy(sequences[:, : step + 1])
        given = network(prefix).argmax(-1)
        theirs = IntegratedGradients(network).attribute(prefix, target=given)[:, -1]
        np.testing.assert_allclose(ours[:, step], theirs, atol=1e-5)


@pytest.mark.parametrize("method", OURS)
def test_attributions_of_the_true_conditional_find_the_deciding_feature(method: str) -> None:
    test = hmm.draw(20, 7)
    found = hmm.attributed(None, test.x, OURS[method])
    figures = hmm_figures(test.relevant, found)
    for one in figures.values():
        assert one[FIGURES.index("auroc")] > 0.95
    shuffled = np.random.default_rng(0).permuted(found, axis=2)
    assert hmm_figures(test.relevant, shuffled)["200 steps"][FIGURES.index("auroc")] < 0.55
    whole = np.array(recovery(test.relevant, found))
    assert figures["200 steps"][2] == pytest.approx(whole[2] / 20)


def test_attributions_of_a_trained_network_find_the_planted_cells() -> None:
    """One panel is trained; the settings of the others are only loaded, which saves a minute."""
    for source in PANELS:
        assert load("truth", [f"data.source={source}"]).data.source == source
    settings = ["data.source=switching", "training.epochs=8", "data.synthetic.symbols=30"]
    experiment = load("truth", settings)
    panel = build(experiment.data, experiment.target)
    trained = trained_on(panel, experiment, "none")
    methods = METHODS | {"noise": lambda f, x, base: torch.rand_like(x)}
    figures, chance, learned = panel_figures(panel, trained, methods, windows=100)
    assert learned > 0.9
    assert chance == pytest.approx(2 / 72)
    for name in METHODS:
        assert figures[name][0] > 0.5, name
        assert figures[name][1] > 0.99, name
    assert figures["noise"][0] < 0.2


def test_attributions_of_an_untrained_network_find_little() -> None:
    experiment = load(
        "truth", ["data.source=lagged", "training.epochs=1", "data.synthetic.days=920"]
    )
    panel = build(experiment.data, experiment.target)
    before = untrained(trained_on(panel, experiment, "none"), len(panel.features))
    figures, _, learned = panel_figures(panel, before, METHODS, windows=100)
    assert abs(learned) < 0.5
    assert all(window < 0.3 for window, _ in figures.values())


def test_every_module_is_in_eval_mode(network: hmm.Classifier) -> None:
    """Dropout and batch statistics would make it another model than the published one."""
    assert not any(part.training for part in network.modules() if isinstance(part, nn.Module))
