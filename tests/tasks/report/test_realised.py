from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from foldproof.tasks.report.realised import COLOURS, realised_figure
from foldproof.tasks.report.style import render
from tests.tasks.report.monitoring_example import example_monitoring


@pytest.mark.parametrize("alerts", [{}, {"realised": "below zero"}])
def test_the_figure_shows_every_date_and_any_alert(
    alerts: Mapping[str, str],
) -> None:
    one = example_monitoring(alerts)
    figure = realised_figure(one, 20)
    axis = figure.axes[0]
    heights = [bar.get_height() for group in axis.containers for bar in group]
    np.testing.assert_allclose(heights, one.daily["rank_ic"])
    (line,) = [line for line in axis.lines if str(line.get_label()).startswith("mean of")]
    assert line.get_ydata()[-1] == pytest.approx(one.daily["rank_ic"][-20:].mean())
    assert ("ALERT: realised" in figure.get_supxlabel()) == bool(alerts)
    assert len(render(figure)) > 10_000


def test_many_versions_are_named_at_their_beginnings_only() -> None:
    one = example_monitoring({})
    versions = np.array([str(k // 4) for k in range(len(one.daily))])
    figure = realised_figure(replace(one, daily=one.daily.assign(version=versions)), 20)
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == [f"v{k}" for k in dict.fromkeys(versions)]
    assert len(dict.fromkeys(versions)) > len(COLOURS)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["mean of 20 dates"]


def test_two_versions_at_nearly_one_time_do_not_cover_each_other() -> None:
    one = example_monitoring({})
    versions = np.where(np.arange(len(one.daily)) < 19, "101", "103")
    versions[18] = "102"  # a Thursday, and the next one from Friday on
    figure = realised_figure(replace(one, daily=one.daily.assign(version=versions)), 20)
    render(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert [text.get_text() for text in figure.axes[0].texts] == ["v101", "v102", "v103"]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_without_labels_the_figure_is_a_note() -> None:
    one = example_monitoring({})
    figure = realised_figure(replace(one, daily=one.daily.head(0)), 20)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no labels yet"]
