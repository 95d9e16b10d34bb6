import pytest

from foldproof.models.spec import Interval, NetworkSpec, TrainingSpec, clipped, nearest


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: NetworkSpec(window=0), "window must be at least 1; it is 0"),
        (lambda: NetworkSpec(dropout=1.0), r"dropout must lie in \[0, 1\); it is 1.0"),
        (lambda: TrainingSpec(patience=0), "patience must be at least 1"),
        (
            lambda: TrainingSpec(learning_rate=0.0),
            "learning_rate must be greater than 0; it is 0.0",
        ),
        (lambda: TrainingSpec(weight_decay=-1.0), "weight_decay must be at least 0; it is -1.0"),
        (
            lambda: TrainingSpec(loss="rank_correlation"),
            "set it to date, date_block or chronological",
        ),
    ],
)
def test_bad_settings_are_refused_with_their_value(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_the_defaults_hold():
    NetworkSpec()
    TrainingSpec(loss="rank_correlation", batches="date_block")


def test_the_nearest_choice_is_offered_whatever_its_case() -> None:
    assert nearest("close", ["Adj", "CLOSE", "volume"]) == "; did you mean CLOSE?"
    assert nearest("symbol", ["Symbol "]) == "; did you mean 'Symbol '?"
    assert nearest("close", ["x", "y"]) == ""


def test_an_interval_says_which_ends_it_includes() -> None:
    assert [value in Interval(0, 1, open_high=True) for value in (-1, 0, 0.5, 1)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert float("nan") not in Interval(0)
    assert str(Interval(0, 1, open_low=True)) == "lie in (0, 1]"
    assert str(Interval(0, open_low=True)) == "be greater than 0"


def test_a_message_quotes_a_value_at_most_briefly() -> None:
    assert clipped("a'b") == '"a\'b"'
    assert clipped(0.5) == "0.5"
    assert clipped([1, "x"]) == "[1, 'x']"
    bomb: object = "lol"
    for _ in range(40):
        bomb = [bomb] * 9
    for value in ("x" * 5_000_000, bomb, dict.fromkeys(range(10**5)), 10**3000, {"a": "y" * 10**6}):
        assert len(clipped(value)) <= 200
    assert clipped("a" + "x" * 10**6 + "b").startswith("'ax")
    assert clipped("a" + "x" * 10**6 + "b").endswith("xb'")
