"""A finished study with numbers made up, for what shows and logs one."""

import numpy as np
import pandas as pd

from foldproof.tasks.batch_study import Composition, why_not
from foldproof.tasks.batch_study.answer import StudySettings, answer
from foldproof.tasks.batch_study.table import table_of
from foldproof.tasks.report.batch_study.results import StudyResults

COMPOSITIONS = (
    Composition("shuffled", size=256),
    Composition("date_block", dates=1),
    Composition("date_block", dates=5),
    Composition("chronological", dates=5),
    Composition("symbol", size=8),
    Composition("symbol", size=32),
)
NORMALIZATIONS = ("none", "layer_norm", "batch_norm_hidden", "batch_norm_date", "causal_batch_norm")
PANELS = {
    "noise": StudySettings("Noise, nothing to forecast", 0.0),
    "signal": StudySettings("Planted signal", 0.06),
    "real": StudySettings("The bundled panel", None),
}
SHORTCUT = {"one symbol, 8 days": 0.4, "one symbol, 32 days": 0.2}


def drawn_rows(shortcut: dict[str, float] = SHORTCUT, seeds: int = 6) -> pd.DataFrame:
    """Networks whose hidden batch norm takes a shortcut of the given size, by composition."""
    draw = np.random.default_rng(5)
    rows = []
    for panel, about in PANELS.items():
        for name in NORMALIZATIONS:
            for composition in COMPOSITIONS:
                if why_not(name, composition):
                    continue
                taken = shortcut.get(composition.title, 0) if name == "batch_norm_hidden" else 0
                for seed in range(seeds):
                    honest = (0.0 if taken else about.truth or 0.0) + 0.004 * draw.normal()
                    rows.append({
                        "panel": panel, "normalization": name, "composition": composition.title,
                        "seed": seed, "honest": honest,
                        "train_mode": honest + taken + (0.004 * draw.normal() if taken else 0),
                        "train_mode_dates": honest, "best_epoch": 2, "epochs": 3,
                        "chance": 0.01,
                    })  # fmt: skip
    return pd.DataFrame(rows)


def study_example(shortcut: dict[str, float] = SHORTCUT) -> StudyResults:
    """The study of those rows."""
    rows = drawn_rows(shortcut)
    table = table_of(rows, "none", 0.95)
    cells = [(n, c.title, why_not(n, c)) for n in NORMALIZATIONS for c in COMPOSITIONS]
    skipped = pd.DataFrame(cells, columns=["normalization", "composition", "reason"]).dropna()
    return StudyResults(
        title="A study with made-up numbers",
        study_id="0123456789ab",
        config={"study": "batch_norm", "seeds": [0, 1], "tracking": {"uri": None}},
        config_yaml="study: batch_norm\n",
        panels=PANELS,
        reference="none",
        normalizations=NORMALIZATIONS,
        compositions=tuple(one.title for one in COMPOSITIONS),
        level=0.95,
        rows=rows,
        table=table,
        skipped=skipped,
        answer=answer(table, PANELS, "none", 0.95),
        seconds={"cells": 1.0},
        code_version="code",
    )
