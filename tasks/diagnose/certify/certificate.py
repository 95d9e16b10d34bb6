"""The certificate of a variant: every probe with its claim, as a table."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

import pandas as pd

from foldproof.models.normalizers import resolve
from foldproof.tasks.diagnose.certify.measurement import Measurement
from foldproof.tasks.diagnose.certify.scored import (
    completeness,
    day_by_day,
    in_parts,
    later_rows,
    rows_needed,
    saved,
    survives,
    target_rows,
    unchanged_by_scoring,
)
from foldproof.tasks.diagnose.certify.subject import Subject, subject_of
from foldproof.tasks.diagnose.certify.within_batch import (
    coupling_probe,
    later_dates_probe,
    steps_probe,
)
from foldproof.tasks.diagnose.findings.finding import for_json
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.markdown import escaped, markdown_table

PROBES: Mapping[str, tuple[str, Callable[[Subject], Measurement]]] = MappingProxyType({
    "causal": ("causal", later_rows),
    "coupling": ("couples", coupling_probe(False)),
    "training_coupling": ("couples", coupling_probe(True)),
    "later_dates": ("later dates", later_dates_probe(False)),
    "later_dates_training": ("later dates", later_dates_probe(True)),
    "causal_steps": ("causal steps", steps_probe(False)),
    "causal_steps_training": ("causal steps", steps_probe(True)),
    "rows_needed": ("rows needed", rows_needed),
    "target": ("target", target_rows),
    "in_parts": ("in parts", in_parts),
    "day_by_day": ("day by day", day_by_day),
    "completeness": ("attribution", completeness),
    "purity": ("scoring", unchanged_by_scoring),
    "saved": ("loaded", saved),
    "survives": ("survives", survives),
})  # fmt: skip
"""Key of a probe -> its column and the measurement, in the order of the table. A column of two
probes has the network as it scores, then in training mode."""
COLUMNS: Mapping[str, str] = MappingProxyType({
    "causal": "weights, forecasts and normalized rows stay as they are when all later rows change",
    "couples": "the samples that share statistics with a sample, at scoring / in training",
    "later dates": "how far forecasts move when later samples of the batch change, at scoring / in "
    "training",
    "causal steps": "a normalized step of a window uses no later step, at scoring / in training",
    "rows needed": "rows that the input normalizer needs to score a date: none, at most the newest "
    "1008, or all",
    "target": "the labels that it trains on read returns of their own date, and no later price",
    "in parts": "rows of parts of the panel, along the axis on which the input is independent",
    "day by day": "each date alone, on the rows known on it, has the forecasts of the whole block",
    "attribution": "integrated gradients of each forecast add up, within 1e-4 of the forecasts' sd",
    "scoring": "parameters and buffers after scoring, which runs in eval mode",
    "loaded": "forecasts of the model read from its files",
    "survives": "a constant feature, and dates with one stock",
    "cpu": "CPU time to fit, train and score, divided by that of none",
})  # fmt: skip
"""What each column of the table says."""


@dataclass(frozen=True)
class Certificate:
    """The measurements of one variant.

    Attributes:
        variant: Its name.
        control: Whether it leaks on purpose; it must then be caught looking ahead.
        measurements: By key of :data:`PROBES`.
        cpu_ratio: CPU time of training and scoring relative to ``none``; NaN if not measured.
        failure: Why nothing could be measured; empty otherwise.
    """

    variant: str
    control: bool
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    cpu_ratio: float = float("nan")
    failure: str = ""

    @property
    def broken(self) -> list[str]:
        """The probes whose claim does not hold."""
        return [key for key, one in self.measurements.items() if one.holds is False]

    @property
    def undecided(self) -> list[str]:
        """The probes that could not decide."""
        return [key for key, one in self.measurements.items() if one.holds is None]

    @property
    def faults(self) -> list[str]:
        """A sentence for each claim that does not hold, and for what could not be measured."""
        texts = [f"cannot be trained: {self.failure}"] if self.failure else []
        for key in (*self.broken, *self.undecided):
            one = self.measurements[key]
            reason = f" ({one.value:.2g})" if one.value == one.value else ""
            texts.append(f"{key}: {one.text}{reason}; {one.detail}")
        return texts


def certify(name: str, seed: int = 0) -> Certificate:
    """Measure every claim of the variant called ``name`` on the certification panel.

    Args:
        name: A key of ``VARIANTS`` or ``CONTROLS``, a combination, or your own
            ``package.module:attribute``; with a kind of target after ``->``, that of the panel is
            made so.
        seed: Seed of the training and of all perturbations.

    Returns:
        The certificate; with its ``failure`` if the variant cannot be trained.

    Raises:
        ValueError: There is no such variant.
    """
    control = resolve(name).control
    subject, reason = attempt(lambda: subject_of(name, seed))
    if subject is None:
        return Certificate(name, control, failure=reason)
    found = {}
    for key, (_, measure) in PROBES.items():
        measured, reason = attempt(lambda: measure(subject))  # noqa: B023
        found[key] = measured or Measurement("", "", None, detail=reason)
    return Certificate(name, control, found)


def exit_status(certificates: Sequence[Certificate]) -> int:
    """0 if every claim holds, 1 if one does not, 2 if something could not be measured."""
    if any(one.broken for one in certificates):
        return 1
    return 2 if any(one.undecided or one.failure for one in certificates) else 0


def measurements_table(certificates: Sequence[Certificate]) -> pd.DataFrame:
    """One row per variant and probe: claim, measured, holds, value, detail."""
    return pd.DataFrame(
        [
            {"variant": one.variant, "control": one.control, "probe": key, **asdict(measured)}
            for one in certificates
            for key, measured in one.measurements.items()
        ]
    )


def summary_table(certificates: Sequence[Certificate]) -> pd.DataFrame:
    """One row per variant, for readers. A cell whose claim does not hold names the claim too."""
    titles = dict.fromkeys(title for title, _ in PROBES.values())
    rows = []
    for one in certificates:
        cells = {
            title: " / ".join(
                one.measurements[key].text
                for key, (column, _) in PROBES.items()
                if column == title and key in one.measurements
            )
            for title in titles
        }
        ratio = f"{one.cpu_ratio:.2f}" if one.cpu_ratio == one.cpu_ratio else ""
        name = f"{one.variant} (control)" if one.control else one.variant
        rows.append({"variant": name, **cells, "cpu": ratio})
    return pd.DataFrame(rows)


def to_markdown(certificates: Sequence[Certificate]) -> str:
    """The summary, what its columns say, and every claim that does not hold."""
    table = summary_table(certificates)
    rows = [[str(cell) for cell in row] for row in table.itertuples(index=False)]
    lines = [f"- **{name}**: {text}" for name, text in COLUMNS.items()]
    faults = [
        f"- {escaped(one.variant)}: {escaped(text)}" for one in certificates for text in one.faults
    ]
    verdict = ["Claims that do not hold, or could not be measured:", "", *faults]
    return "\n".join(
        ["# Claims of the normalizations", "", markdown_table([*map(str, table)], rows), *lines, ""]
        + (verdict if faults else ["Every claim holds."])
        + [""]
    )


def to_json(certificates: Sequence[Certificate]) -> str:
    """All certificates as JSON; NaN is null."""
    content = [
        asdict(replace(one, measurements=dict(one.measurements))) | {"broken": one.broken}
        for one in certificates
    ]
    return json.dumps(for_json(content), indent=2, allow_nan=False)
