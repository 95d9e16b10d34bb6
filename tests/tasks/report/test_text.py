from foldproof.tasks.report.text import counted, label, listed, minus, names, plain


def test_labels_are_words() -> None:
    assert label("ref:gradient_boosting") == "gradient-boosted trees"
    assert label("my.package:my_norm") == "my_norm"
    assert label("none + my.package:my_norm @ date") == "none + my_norm @ date"
    assert label("cs_rank") == "cs_rank"


def test_the_variant_none_is_named_in_words() -> None:
    assert label("none") == "no normalization"
    assert names(["none", "zscore", "none"]) == "no normalization and zscore"


def test_lists_and_counts_read_as_english() -> None:
    assert listed([]) == "nothing"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert [counted(n, "day") for n in (0, 1, 2)] == ["0 days", "1 day", "2 days"]


def test_minus_signs_do_not_break() -> None:
    assert minus("-0.5 [-1, +1]") == "\N{MINUS SIGN}0.5 [\N{MINUS SIGN}1, +1]"


def test_names_of_python_exceptions_are_left_out() -> None:
    assert plain("not tried: ValueError: batch norm needs 2 rows") == (
        "not tried: batch norm needs 2 rows"
    )
    assert plain("torch.OutOfMemoryError: too large; Error rate: 3") == "too large; Error rate: 3"
