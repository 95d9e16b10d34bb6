import re

import pandas as pd
import pytest

from foldproof.tasks.batch_study.answer import ExpectedSize, answer
from foldproof.tasks.batch_study.table import table_of
from tests.tasks.report.study_example import PANELS, SHORTCUT, drawn_rows


def paragraphs(shortcut: dict[str, float], *expected: ExpectedSize) -> list[str]:
    return answer(table_of(drawn_rows(shortcut), "none", 0.95), PANELS, "none", 0.95, expected)


def test_a_shortcut_on_noise_is_reported_with_its_batches_and_size() -> None:
    first, train_mode, *_ = paragraphs(SHORTCUT)
    assert "In training, yes" in first
    assert "2 of 21 cells, on the batches 'one symbol, 8 days' and 'one symbol, 32 days'" in first
    assert "In scoring (eval mode, running statistics), no" in first
    kept = re.search(r"0.060, honest scores are (\S+) to (\S+) where training took the", first)
    assert kept
    assert [float(bound) for bound in kept.groups()] == pytest.approx([0, 0], abs=0.01)
    elsewhere = re.search(r"and (\S+) to (\S+) elsewhere", first)
    assert elsewhere
    assert [float(bound) for bound in elsewhere.groups()] == pytest.approx([0.06] * 2, abs=0.01)
    assert "up to rank IC +0.39" in train_mode or "up to rank IC +0.40" in train_mode
    assert "Batch norm of the last hidden state (one symbol, 8 days: +0." in train_mode


def test_without_a_shortcut_none_is_found() -> None:
    first, train_mode, *_ = paragraphs({})
    assert "In training, not detected" in first
    assert "took the shortcut" not in first
    assert "Nowhere above honest" in train_mode


def test_a_leak_into_honest_scores_is_reported() -> None:
    rows = drawn_rows(SHORTCUT)
    rows.loc[(rows["normalization"] == "layer_norm") & (rows["panel"] == "noise"), "honest"] += 0.1
    first = answer(table_of(rows, "none", 0.95), PANELS, "none", 0.95)[0]
    assert "In scoring, yes: 6 honest scores" in first


def test_the_cost_of_the_shortcut_on_the_signal_is_reported() -> None:
    text = next(one for one in paragraphs(SHORTCUT) if one.startswith("Planted signal, honest"))
    assert "(true rank IC 0.060)" in text
    cost = re.search(
        r"Less on the same batches: Batch norm .*one symbol, 8 days: (\S+), (\S+),", text
    )
    assert cost
    assert float(cost[1]) == pytest.approx(0, abs=0.01)
    assert float(cost[2]) == pytest.approx(-0.06, abs=0.01)


@pytest.mark.parametrize(("stated", "verdict"), [(0.2, "Confirmed"), (0.32, "Corrected")])
def test_earlier_figures_are_confirmed_or_corrected(stated: float, verdict: str) -> None:
    one = ExpectedSize(
        "noise", "batch_norm_hidden", "one symbol, 32 days", "train_mode", stated, stated
    )
    assert f"{stated:+.3f}. {verdict}: +0.20" in paragraphs(SHORTCUT, one)[-1]


def test_an_earlier_figure_of_a_cell_that_was_not_run_is_left_out() -> None:
    one = ExpectedSize("noise", "batch_norm_hidden", "one symbol, 9 days", "train_mode", 0.1, 0.1)
    assert paragraphs(SHORTCUT, one) == paragraphs(SHORTCUT)


def test_without_noise_nothing_is_claimed() -> None:
    table = table_of(drawn_rows(SHORTCUT), "none", 0.95)
    real = table[table["panel"] == "real"]
    assert (
        "cannot separate skill"
        in answer(pd.DataFrame(real), {"real": PANELS["real"]}, "none", 0.95)[0]
    )
