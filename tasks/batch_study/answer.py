"""The study's question answered from its table, without prior knowledge of the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.models.normalizers import resolve
from foldproof.models.spec import Spec, require
from foldproof.tasks.batch_study.table import SCORES, false_discovery

MATERIAL = 0.001
"""Smaller differences in rank IC are rounding: forecasts that tie in one batch shape only."""


@dataclass(frozen=True)
class ExpectedSize(Spec):
    """A figure of an earlier study, which this one confirms or corrects."""

    panel: str
    """Key of a panel."""
    normalization: str
    """Key of a normalization."""
    composition: str
    """Title of a composition, as in the tables."""
    score: str
    """honest, train_mode or train_mode_dates."""
    low: float
    """The earlier rank IC, or the lower end of its range."""
    high: float
    """Upper end of the range; equal to low for a single figure."""

    def __post_init__(self) -> None:
        require(
            self.score in SCORES, f"score must be one of {', '.join(SCORES)}; it is {self.score!r}"
        )
        require(self.low <= self.high, f"low {self.low} must not exceed high {self.high}")


@dataclass(frozen=True)
class StudySettings:
    """Facts about a panel for the reader.

    Attributes:
        title: A few words.
        truth: The highest possible rank IC, 0 if nothing can be forecast, None if unknown.
    """

    title: str
    truth: float | None


def answer(
    table: pd.DataFrame,
    panels: Mapping[str, StudySettings],
    reference: str,
    level: float,
    expected: tuple[ExpectedSize, ...] = (),
) -> list[str]:
    """The answer in paragraphs: the short answer, then two per panel, then one per expected size.

    Args:
        table: One row per cell, from :func:`~foldproof.tasks.batch_study.table.table_of`.
        panels: The panels by key, in order.
        reference: The normalization with which the honest scores are compared.
        level: Confidence level; a share of 1 - ``level`` of the named cells may be luck.
        expected: Figures of an earlier study; those of cells that were not run are left out.
    """
    paragraphs = [_short_answer(table, panels, reference, level)]
    for name, panel in panels.items():
        cells = table[table["panel"] == name]
        paragraphs.append(_train_mode_paragraph(cells, panel, level))
        paragraphs.append(_honest_paragraph(cells, panel, reference, level))
    for size in expected:
        cells = table[
            (table["panel"] == size.panel)
            & (table["normalization"] == size.normalization)
            & (table["composition"] == size.composition)
        ]
        if len(cells):
            paragraphs.append(_expected_paragraph(cells.iloc[0], size))
    return paragraphs


def _significant(cells: pd.DataFrame, measure: str, level: float, sign: int) -> pd.DataFrame:
    """Cells whose ``measure`` has this sign, with false discovery rate 1 - ``level``."""
    significant = false_discovery(cells[f"{measure}_p"]) < 1 - level
    return cells[significant & (sign * cells[measure] > MATERIAL)]


def _beyond_chance(cells: pd.DataFrame, level: float) -> pd.DataFrame:
    """Cells of noise with an honest score above zero, by the standard error known on noise.

    This is sharper than the spread over a few seeds, which may be small by luck.
    """
    from scipy import stats  # here: the import takes half a second

    p = stats.norm.sf(cells["honest"] / cells["chance"])
    return cells[false_discovery(p) < 1 - level]


def _short_answer(
    table: pd.DataFrame, panels: Mapping[str, StudySettings], reference: str, level: float
) -> str:
    """One paragraph: is future data used in training, and in scoring."""
    empty = [name for name, panel in panels.items() if panel.truth == 0]
    if not empty:
        return "Without a panel of noise the study cannot separate skill from future data."
    noise = table[table["panel"].isin(empty)]
    training, scoring = _significant(noise, "gap", level, 1), _beyond_chance(noise, level)
    text = "Does batch norm use future data? "
    if len(training):
        batches = [f"'{name}'" for name in training["composition"].unique()]
        text += (
            f"In training, yes: on noise, train-mode scores exceed honest ones in {len(training)} "
            f"of {len(noise)} cells, on the batches {_listed(batches)}. "
        )
    else:
        text += "In training, not detected: no train-mode score is significant on noise. "
    if len(scoring):
        text += (
            f"In scoring, yes: {len(scoring)} honest scores are above zero on noise, the first of "
            f"them with {_cell_name(scoring.iloc[0])}. "
        )
    else:
        text += (
            "In scoring (eval mode, running statistics), no: no honest score of the same weights "
            f"differs from zero on noise ({_span(noise['honest'])}; standard error under no skill "
            f"{noise['chance'].max():.3f}). "
        )
    return text + _cost_sentence(table, panels, reference, level)


def _cost_sentence(
    table: pd.DataFrame, panels: Mapping[str, StudySettings], reference: str, level: float
) -> str:
    """One sentence: the honest scores under batch statistics when there is a true signal."""
    known = [name for name, panel in panels.items() if panel.truth]
    coupled = table["normalization"].map(lambda name: resolve(name).training_coupling == "batch")
    cells = table[table["panel"].isin(known) & coupled]
    if not len(cells):
        return "The cost on a true signal was not studied."
    shortcut = cells.index.isin(_significant(cells, "gap", level, 1).index)
    parts = [
        f"{_span(own['honest'])} {where} ({_title(reference)} on the same batches: "
        f"{_span(own['honest'] - own['gain'])})"
        for where, own in (
            ("where training took the shortcut", cells[shortcut]),
            ("elsewhere", cells[~shortcut]),
        )
        if len(own)
    ]
    truth = _listed([f"{panels[name].truth:.3f}" for name in known])
    return f"With a true rank IC of {truth}, honest scores are {' and '.join(parts)}."


def _train_mode_paragraph(cells: pd.DataFrame, panel: StudySettings, level: float) -> str:
    """Train-mode scores on one panel, and the cells where they differ from honest scores."""
    top = cells.iloc[int(cells["train_mode"].to_numpy().argmax())]
    text = (
        f"{panel.title}, train mode: up to rank IC {interval_text(top, 'train_mode')} "
        f"({_cell_name(top)}; honest {signed(top['honest'])}, on batches of one date "
        f"{signed(top['train_mode_dates'])}). "
    )
    higher, lower = (_significant(cells, "gap", level, sign) for sign in (1, -1))

    def gap(row: pd.Series) -> str:
        return signed(row["gap"])

    text += f"Above honest: {_by_title(higher, gap)}." if len(higher) else "Nowhere above honest."
    return text + (f" Below honest: {_by_title(lower, gap)}." if len(lower) else "")


def _honest_paragraph(
    cells: pd.DataFrame, panel: StudySettings, reference: str, level: float
) -> str:
    """Honest scores on one panel, compared with the reference."""
    plain = cells["normalization"] == reference
    truth = "" if panel.truth is None else f" (true rank IC {panel.truth:.3f})"
    others = cells[~plain]
    text = (
        f"{panel.title}, honest scores{truth}: {_title(reference)} has "
        f"{_span(cells[plain]['honest'])}. "
    )

    def score_and_gain(row: pd.Series) -> str:
        return f"{signed(row['honest'])}, {signed(row['gain'])}"

    parts = [
        f"{name}: {_by_title(own, score_and_gain)}"
        for name, sign in (("Less on the same batches", -1), ("More", 1))
        if len(own := _significant(others, "gain", level, sign))
    ]
    if not parts:
        parts = [f"None of the others differs on the same batches ({len(others)} cells)"]
    return text + ". ".join(parts) + "."


def _expected_paragraph(row: pd.Series, size: ExpectedSize) -> str:
    """Whether a figure of an earlier study lies within the interval."""
    low, high = row[f"{size.score}_low"], row[f"{size.score}_high"]
    stated = signed(size.low) + ("" if size.low == size.high else f" to {signed(size.high)}")
    verdict = "Confirmed" if low <= size.high and high >= size.low else "Corrected"
    return (
        f"Earlier study, {size.panel}, {_cell_name(row)}, {size.score.replace('_', ' ')}: "
        f"{stated}. {verdict}: {interval_text(row, size.score)}."
    )


def _by_title(cells: pd.DataFrame, figures: Callable[[pd.Series], str]) -> str:
    """Cells by normalization, each composition with its figures."""
    return "; ".join(
        f"{_title(str(name))} ("
        + ", ".join(f"{row['composition']}: {figures(row)}" for _, row in own.iterrows())
        + ")"
        for name, own in cells.groupby("normalization", sort=False)
    )


def _title(normalization: str) -> str:
    """Title of a variant."""
    return resolve(normalization).title


def _cell_name(row: pd.Series) -> str:
    """Normalization and composition of a cell."""
    return f"{_title(row['normalization'])}, {row['composition']}"


def interval_text(row: pd.Series, score: str) -> str:
    """A mean and its interval."""
    return f"{signed(row[score])} [{signed(row[f'{score}_low'])}, {signed(row[f'{score}_high'])}]"


def signed(value: float) -> str:
    """Three decimals with a sign; a dash where the value is missing."""
    return f"{value:+.3f}" if np.isfinite(value) else "-"


def _span(values: pd.Series) -> str:
    """Lowest to highest."""
    return f"{signed(values.min())} to {signed(values.max())}"


def _listed(names: list[str]) -> str:
    """Names as a list within a sentence."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
