"""Figures and pages show any name of a feature or symbol as it is written."""

import re
from dataclasses import fields, is_dataclass, replace
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from foldproof.tasks.report import style
from foldproof.tasks.report.attribution.explanation import explanation_figure, explanation_text
from foldproof.tasks.report.attribution.figures import heatmap_of
from foldproof.tasks.report.audit.page import audit_report, slugs_of
from foldproof.tasks.report.comparison.answers import summary_markdown
from foldproof.tasks.report.comparison.figures import FIGURES
from foldproof.tasks.report.comparison.page import report_of
from foldproof.tasks.report.realised import realised_figure
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import SHOWN, render, shortened
from foldproof.tasks.report.vector import embedded, vector
from tests.tasks.names import NASTY, any_name
from tests.tasks.report.attribution.test_explanation import ONE
from tests.tasks.report.audit_example import honest, leaking
from tests.tasks.report.comparison.test_page import Outline, words
from tests.tasks.report.example import FEATURES
from tests.tasks.report.monitoring_example import example_monitoring

SVG = "{http://www.w3.org/2000/svg}"


def renamed(value: Any, names: dict[str, str]) -> Any:
    """``value`` with other features in all its tables."""
    if isinstance(value, pd.DataFrame):
        own = value["feature"].replace(names) if "feature" in value else None
        return value if own is None else value.assign(feature=own)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: renamed(getattr(value, f.name), names)
                                 for f in fields(value) if f.init})  # fmt: skip
    return value


def with_features(results: Results, names: list[str]) -> Results:
    """The same comparison of features with other names."""
    return replace(
        results,
        attribution=renamed(results.attribution, dict(zip(FEATURES, names, strict=True))),
        panel_summary=results.panel_summary | {"features": names},
    )


def texts(svg: bytes) -> list[str]:
    """The texts of a picture, as a reader of XML sees them."""
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def begun(name: str) -> str:
    """What a figure shows of a name at least: a long one loses its middle."""
    return name if len(name) <= SHOWN else name[: SHOWN // 2]


@pytest.mark.parametrize("at", range(0, len(NASTY), len(FEATURES)))
def test_figures_show_nasty_names(at: int, results: Results) -> None:
    names = [*NASTY[at:], *NASTY][: len(FEATURES)]
    found = with_features(results, names)
    for key in ("attribution_heatmap", "permutation"):
        drawn = texts(vector(FIGURES[key].draw(found), key))
        for name in names:
            assert any(begun(name) in text for text in drawn), (key, name)


@pytest.mark.slow
def test_every_figure_and_the_page_show_nasty_names(results: Results) -> None:
    names = [*[name for name in NASTY if set(name) & set("$</")][:11], "动量"]
    found = with_features(results, names)
    report = report_of(found)
    assert set(report.figures) == set(FIGURES)
    for key in ("importance_by_method", "net_gross", "methods", "drift"):
        drawn = texts(report.figures[key])
        for name in names:
            assert any(name in text for text in drawn), (key, name)
    page = words(report.page)
    assert all(name in page for name in names)
    assert "<script" not in report.page
    summary_markdown(found, "http://127.0.0.1:5000")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_name, min_size=3, max_size=3, unique=True))
def test_a_figure_shows_any_name_as_it_is_written(names: list[str]) -> None:
    cells = [(name, lag, 0.1 * lag) for name in names for lag in range(4)]
    rows = pd.DataFrame(cells, columns=["feature", "lag", "absolute"]).assign(
        signed=0.0, method="integrated_gradients", fold=0, seed=0, variant="zscore"
    )
    figure = heatmap_of(rows, f"zscore, {names[0]}", names)
    drawn = texts(vector(figure, "heat"))
    for name in names:
        assert any(name.strip() in text for text in drawn)
    with Image.open(BytesIO(render(figure))) as image:
        assert image.size[0] > 400


@pytest.mark.slow
def test_a_picture_of_an_explanation_shows_nasty_names() -> None:
    for name in NASTY:
        names = {"small": name, "large": f"{name}2"}
        one = renamed(replace(ONE, symbol=name, features=(*names.values(), "against")), names)
        assert any(begun(name) in text for text in texts(vector(explanation_figure(one), "x")))
        assert explanation_text(one).count("\n| ") == 5


def test_monitoring_draws_a_champion_of_any_name() -> None:
    found = replace(example_monitoring({}), model="$a$b$", variant="mine:x", version="$1$^")
    assert render(realised_figure(found, 20)).startswith(b"\x89PNG")


def test_a_page_of_an_audit_keeps_the_pictures_of_subjects_apart() -> None:
    subjects = ["a b", "a_b", "a:b", "../x", "..", "动量", "a_b_2"]
    assert len(set(slugs_of(subjects))) == len(subjects)
    report = audit_report([leaking(subjects[0]), *map(honest, subjects[1:])], "$t$ <b>")
    assert {key for key in report.figures if key.endswith("/stages")} == {
        f"{own}/stages" for own in slugs_of(subjects)
    }
    assert not [key for key in report.figures if key.startswith(("/", "."))]
    Outline(report.page)


def drawn(text: str = "x") -> Figure:
    figure, axes = style.canvas(2)
    axes[0, 0].imshow(np.eye(3))
    axes[0, 0].bar([0, 1], [1, 2], hatch="//", color="#f5d67a")
    axes[0, 0].plot([0, 1], [0, 1], "o", clip_on=True)
    style.describe(axes[0, 0], text)
    return figure


def test_a_picture_has_the_same_bytes_each_time_and_ids_of_its_own() -> None:
    one, again, other = vector(drawn(), "a b"), vector(drawn(), "a b"), vector(drawn(), "other")
    assert one == again
    ids = [set(re.findall(r' id="([^"]+)"', svg.decode())) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for found, svg in zip(ids, (one, other), strict=True):
        used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg.decode()))
        assert used == found, "an id without use, or a link to no id"
    assert b"#f5d67a" in one, "a colour is not a link"
    assert b"<style" not in one
    assert b"metadata" not in one


def test_a_picture_may_hold_texts_that_look_like_its_own_parts() -> None:
    text = 'href="#p1" url(#p1) id="x" role="img" <g> &amp;'
    svg = vector(drawn(text), "k")
    assert text in texts(svg)
    page = str(embedded('"quoted" <b>', svg))
    assert page.count("aria-label") == 1
    assert 'aria-label="&#34;quoted&#34; &lt;b&gt;"' in page
    assert texts(page.encode()) == texts(svg)


def test_control_characters_do_not_break_a_picture() -> None:
    assert "a\N{REPLACEMENT CHARACTER}b" in texts(vector(drawn("a\x01b"), "k"))


def test_a_long_name_loses_its_middle() -> None:
    assert shortened("x" * 40) == "x" * 40
    assert shortened("a" + "x" * 299 + "b") == "a" + "x" * 19 + "…" + "x" * 18 + "b"
