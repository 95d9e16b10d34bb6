import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: NetworkSpec(window=0), "window must be at least 1; it is 0"),
        (lambda: NetworkSpec(dropout=1.0), r"dropout must lie in \[0, 1\); it is 1.0"),
        (lambda: TrainingSpec(patience=0), "patience must be at least 1"),
        (lambda: TrainingSpec(learning_rate=0.0), "learning_rate must be positive"),
        (lambda: TrainingSpec(weight_decay=-1.0), "weight_decay must not be negative"),
        (lambda: TrainingSpec(loss="rank_correlation"), "take date, date_block or chronological"),
    ],
)
def test_bad_settings_are_refused_with_their_value(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_the_defaults_hold():
    NetworkSpec()
    TrainingSpec(loss="rank_correlation", batches="date_block")
