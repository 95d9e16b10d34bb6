"""The study's question answered from its table: nothing here is known beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from foldproof.models.normalizers import resolve
from foldproof.models.spec import Spec, require
from foldproof.tasks.batch_study.table import false_discovery

MATERIAL = 0.001
"""A smaller difference in rank IC is rounding: forecasts that tie in one batch shape only."""


@dataclass(frozen=True)
class ExpectedSize(Spec):
    """A size that was stated before, to be met or corrected."""

    panel: str
    """Key of a panel."""
    normalization: str
    """Key of a normalization."""
    composition: str
    """Title of a composition, as tables show it."""
    score: str
    """honest, train_mode or train_mode_dates."""
    low: float
    """Rank IC that was stated, or the lower end of it."""
    high: float
    """Upper end; the same where one figure was stated."""

    def __post_init__(self) -> None:
        scores = ("honest", "train_mode", "train_mode_dates")
        require(
            self.score in scores, f"score must be one of {', '.join(scores)}; it is {self.score!r}"
        )
        require(self.low <= self.high, f"low {self.low} must not exceed high {self.high}")


@dataclass(frozen=True)
class StudySettings:
    """What a reader must know of a panel.

    Attributes:
        title: A few words.
        truth: The best rank IC that there is, 0 where nothing can be forecast, None if unknown.
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
    """The answer in paragraphs, from the table of :func:`~tasks.diagnose.batch_table.table_of`."""
    said = [short(table, panels, reference, level)]
    for name, about in panels.items():
        own = table[table["panel"] == name]
        said += [in_train_mode(own, about, level), at_scoring(own, about, reference, level)]
    said += [compared(table, one) for one in expected if len(cells_of(table, one))]
    return said


def found(cells: pd.DataFrame, measure: str, level: float, sign: int) -> pd.DataFrame:
    """Cells whose ``measure`` has this sign: of these, a share of 1 - ``level`` may be luck."""
    sure = false_discovery(cells[f"{measure}_p"]) < 1 - level
    return cells[sure & (sign * cells[measure] > MATERIAL)]


def beyond_chance(cells: pd.DataFrame, level: float) -> pd.DataFrame:
    """Cells of noise whose honest score is above zero, by the error that is known on noise.

    Sharper than over few seeds, whose own spread may be small by luck.
    """
    p = stats.norm.sf(cells["honest"] / cells["chance"])
    return cells[false_discovery(p) < 1 - level]


def short(
    table: pd.DataFrame, panels: Mapping[str, StudySettings], reference: str, level: float
) -> str:
    """One paragraph: is future data used in training, and in scoring."""
    empty = [name for name, about in panels.items() if about.truth == 0]
    if not empty:
        return "Without a panel of noise the study cannot tell skill from future data."
    noise = table[table["panel"].isin(empty)]
    training, scoring = found(noise, "gap", level, 1), beyond_chance(noise, level)
    text = "Does batch norm bring in future data? "
    if len(training):
        text += (
            f"In training, yes: on noise, train-mode scores beat honest ones in {len(training)} of "
            f"{len(noise)} cells, on the batches {listed(quoted(training['composition']))}. "
        )
    else:
        text += "In training, not that this study could see: no train-mode score beats noise. "
    if len(scoring):
        text += (
            f"In scoring, yes: {len(scoring)} honest scores are above zero on noise, the first of "
            f"them with {who(scoring.iloc[0])}. "
        )
    else:
        text += (
            "In scoring (eval mode, running statistics), no: no honest score of the same weights "
            f"stands out from zero ({span(noise['honest'])}; by chance alone they have a "
            f"standard error of {noise['chance'].max():.3f}). "
        )
    return text + cost(table, panels, reference, level)


def cost(
    table: pd.DataFrame, panels: Mapping[str, StudySettings], reference: str, level: float
) -> str:
    """One sentence: what batch statistics leave of a true signal at honest scoring."""
    known = [name for name, about in panels.items() if about.truth]
    cells = table[table["panel"].isin(known) & table["normalization"].map(is_coupled)]
    if not len(cells):
        return "What it costs a true signal was not studied."
    took = cells.index.isin(found(cells, "gap", level, 1).index)
    parts = [
        f"{span(own['honest'])} {where} ({title_of(reference)} on the same batches: "
        f"{span(own['honest'] - own['gain'])})"
        for where, own in (
            ("where training took the shortcut", cells[took]),
            ("elsewhere", cells[~took]),
        )
        if len(own)
    ]
    truth = listed([f"{panels[name].truth:.3f}" for name in known])
    return f"Of a true rank IC of {truth} honest scores keep {' and '.join(parts)}."


def is_coupled(normalization: str) -> bool:
    """Whether a sample in training depends on whoever shares its batch."""
    return resolve(normalization).training_coupling == "batch"


def in_train_mode(cells: pd.DataFrame, about: StudySettings, level: float) -> str:
    """What train-mode scoring reports on one panel, and where it differs from honest scoring."""
    top = cells.iloc[int(cells["train_mode"].to_numpy().argmax())]
    text = (
        f"{about.title}, train mode: up to rank IC {interval_text(top, 'train_mode')} "
        f"({who(top)}; honest {signed(top['honest'])}, on batches of one date "
        f"{signed(top['train_mode_dates'])}). "
    )
    higher, lower = found(cells, "gap", level, 1), found(cells, "gap", level, -1)
    text += f"Above honest: {grouped(higher, 'gap')}." if len(higher) else "Nowhere above honest."
    return text + (f" Below honest: {grouped(lower, 'gap')}." if len(lower) else "")


def at_scoring(cells: pd.DataFrame, about: StudySettings, reference: str, level: float) -> str:
    """What is left of the forecast on one panel when it is scored honestly."""
    plain = cells[cells["normalization"] == reference]
    text = (
        f"{about.title}, honest scores{truth_text(about)}: {title_of(reference)} earns "
        f"{span(plain['honest'])}. "
    )
    others = cells[cells["normalization"] != reference]
    worse, better = found(others, "gain", level, -1), found(others, "gain", level, 1)
    if not len(worse) and not len(better):
        return text + f"No normalization is told from it on the same batches ({len(others)} cells)."
    parts = []
    if len(worse):
        parts.append(f"Less on the same batches: {left(worse)}")
    if len(better):
        parts.append(f"More: {left(better)}")
    return text + ". ".join(parts) + "."


def compared(table: pd.DataFrame, one: ExpectedSize) -> str:
    """Whether a stated size lies within the interval."""
    row = cells_of(table, one).iloc[0]
    low, high = row[f"{one.score}_low"], row[f"{one.score}_high"]
    stated = signed(one.low) if one.low == one.high else f"{signed(one.low)} to {signed(one.high)}"
    met = low <= one.high and high >= one.low
    return (
        f"Stated before, {one.panel}, {who(row)}, {one.score.replace('_', ' ')}: {stated}. "
        f"{'Met' if met else 'Corrected'}: {interval_text(row, one.score)}."
    )


def cells_of(table: pd.DataFrame, one: ExpectedSize) -> pd.DataFrame:
    """The cell that a stated size is about; empty where it was not run."""
    return table[
        (table["panel"] == one.panel)
        & (table["normalization"] == one.normalization)
        & (table["composition"] == one.composition)
    ]


def grouped(cells: pd.DataFrame, measure: str) -> str:
    """Cells by normalization, each composition with its figure."""
    return "; ".join(
        f"{title_of(str(name))} ("
        + ", ".join(f"{row['composition']}: {signed(row[measure])}" for _, row in own.iterrows())
        + ")"
        for name, own in cells.groupby("normalization", sort=False)
    )


def left(cells: pd.DataFrame) -> str:
    """Cells by normalization: the honest score, and what it lost or gained."""
    return "; ".join(
        f"{title_of(str(name))} ("
        + ", ".join(
            f"{row['composition']}: {signed(row['honest'])}, {signed(row['gain'])}"
            for _, row in own.iterrows()
        )
        + ")"
        for name, own in cells.groupby("normalization", sort=False)
    )


def truth_text(about: StudySettings) -> str:
    """What the best forecast would earn, where that is known."""
    return "" if about.truth is None else f" (true rank IC {about.truth:.3f})"


def title_of(normalization: str) -> str:
    """Title of a variant, to stand within a sentence."""
    return resolve(normalization).title


def who(row: pd.Series) -> str:
    """Normalization and composition of a cell."""
    return f"{title_of(row['normalization'])}, {row['composition']}"


def interval_text(row: pd.Series, score: str) -> str:
    """A mean and its interval."""
    return f"{signed(row[score])} [{signed(row[f'{score}_low'])}, {signed(row[f'{score}_high'])}]"


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return f"{value:+.3f}" if np.isfinite(value) else "-"


def span(values: pd.Series) -> str:
    """Lowest to highest."""
    return f"{signed(values.min())} to {signed(values.max())}"


def quoted(names: pd.Series) -> list[str]:
    """Each name once, in quotes."""
    return [f"'{name}'" for name in names.unique()]


def listed(names: list[str]) -> str:
    """Names as a list within a sentence."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
