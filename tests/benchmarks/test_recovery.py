import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from tests.benchmarks.recovery import (
    EPSILON,
    area,
    area_under_roc,
    average_precision,
    entropy,
    information,
    mean_average_precision,
    precision_recall,
    recovery,
    to_unit_range,
)

TRUTH = np.array([True, False, True, False])
SCORE = np.array([0.9, 0.8, 0.4, 0.1])


def test_the_curve_equals_a_hand_calculation() -> None:
    curve = precision_recall(TRUTH, SCORE)
    np.testing.assert_array_equal(curve.threshold, [0.1, 0.4, 0.8, 0.9])
    np.testing.assert_allclose(curve.precision, [2 / 4, 2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(curve.recall, [1, 1, 1 / 2, 1 / 2])
    assert average_precision(TRUTH, SCORE) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert area(curve.threshold, curve.recall) == pytest.approx(0.3 + 0.4 * 0.75 + 0.1 * 0.5)
    assert area_under_roc(TRUTH, SCORE) == 3 / 4  # one of four pairs is in the wrong order


def test_tied_cells_share_a_threshold() -> None:
    assert average_precision(TRUTH, np.zeros(4)) == area_under_roc(TRUTH, np.zeros(4)) == 0.5


def test_information_and_entropy_equal_a_hand_calculation() -> None:
    assert information(np.array([0.5, 0.75])) == pytest.approx(1 + 2, abs=1e-4)
    assert entropy(np.array([0.5, 0.5])) == pytest.approx(2, abs=1e-4)
    assert entropy(np.array([0.0, 1.0])) == pytest.approx(0, abs=1e-4)
    assert information(np.array([1.0])) == pytest.approx(-np.log2(EPSILON))


def test_each_sample_is_scaled_by_its_own_range() -> None:
    scaled = to_unit_range(np.array([[[1.0, 2.0], [3.0, 5.0]], [[7.0, 7.0], [7.0, 7.0]]]))
    np.testing.assert_allclose(scaled[0], [[0, 0.25], [0.5, 1]], atol=1e-5)
    assert not scaled[1].any()


@pytest.fixture(params=["no ties", "ties"])
def drawn(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    relevant = generator.random((7, 6, 5)) < 0.2
    attributions = generator.standard_normal(relevant.shape) + relevant
    return relevant, attributions.round(1) if request.param == "ties" else attributions


def test_every_figure_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    relevant, attributions = drawn
    got = recovery(relevant, attributions)
    size = np.abs(attributions)
    low = size.min((1, 2), keepdims=True)
    score = ((size - low) / (size.max((1, 2), keepdims=True) - low + EPSILON)).ravel()
    truth = relevant.ravel()
    precision, recall, threshold = precision_recall_curve(truth, score)
    assert got.aup == pytest.approx(auc(threshold, precision[:-1]), abs=1e-12)
    assert got.aur == pytest.approx(auc(threshold, recall[:-1]), abs=1e-12)
    assert got.auroc == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert got.auprc == pytest.approx(average_precision_score(truth, score), abs=1e-12)


def test_the_truth_itself_scores_best_and_its_opposite_worst() -> None:
    relevant = np.random.default_rng(0).random((4, 5, 6)) < 0.3
    best, worst = (recovery(relevant, one.astype(float)) for one in (relevant, ~relevant))
    assert best.auprc == best.auroc == 1
    assert best.aup == pytest.approx((1 + relevant.mean()) / 2, abs=1e-4)  # 1 is out of reach
    assert best.entropy == pytest.approx(0, abs=0.1)
    assert worst.auroc == 0
    assert worst.auprc == pytest.approx(relevant.mean())
    assert worst.information < 1e-2 < best.information


def test_samples_without_a_relevant_cell_are_left_out_of_the_mean() -> None:
    relevant = np.array([[TRUTH], [~TRUTH], [np.zeros(4, bool)]])
    score = np.array([[SCORE]] * 3)
    each = [average_precision(TRUTH, SCORE), average_precision(~TRUTH, SCORE)]
    assert mean_average_precision(relevant, score) == pytest.approx(np.mean(each))


def test_no_relevant_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the 4 cells is relevant"):
        precision_recall(np.zeros(4, bool), SCORE)
