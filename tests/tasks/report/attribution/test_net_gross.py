"""Net beside gross importance."""

from dataclasses import replace

import pandas as pd
import pytest

from foldproof.tasks.report.attribution.net_gross import net_and_gross, net_gross_figure
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.results import Results
from tests.tasks.report.example import cancelled


def test_shares_of_net_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "variant": "v", "fold": [0, 0, 1, 1], "seed": 0, "method": "integrated_gradients",
            "feature": ["a", "b"] * 2, "net": [1.0, 1.0, 3.0, 1.0], "gross": [2.0, 5.0, 4.0, 5.0],
        }
    )  # fmt: skip
    other = rows.assign(method="mean_partial", net=9.0, gross=9.0)
    table = net_and_gross(pd.concat([other, rows])).loc["v"]
    assert table["net"].tolist() == pytest.approx([200 / 3, 100 / 3], abs=1e-12)
    assert table["gross"].tolist() == pytest.approx([100.0, 500 / 3], abs=1e-12)


def test_the_best_is_beside_the_variant_whose_lags_offset_most(results: Results) -> None:
    left, right = net_gross_figure(results).axes
    assert left.get_title("left").startswith(f"{best_attributed(results)}: net is ")
    sums = net_and_gross(results.attribution.importance).groupby("variant").sum()
    assert sums["net"].to_numpy() == pytest.approx(100)
    most = sums["gross"].idxmax()
    assert most in ("instance_norm", "revin")
    assert cancelled(most) < cancelled("zscore")
    assert right.get_title("left") == f"{most}: net is {100 / sums['gross'].max():.0%} of gross"
    for axis in (left, right):
        gross, net = (line.get_xdata() for line in axis.lines)
        assert (gross >= net).all()
        assert list(net) == sorted(net, reverse=True)


def test_one_variant_alone_has_one_panel(results: Results) -> None:
    importance = results.attribution.importance
    own = importance[importance["variant"] == best_attributed(results)]
    alone = replace(results, attribution=replace(results.attribution, importance=own))
    assert len(net_gross_figure(alone).axes) == 1
