"""Choose the settings of each variant on the tuning folds, before the scored folds are trained."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from foldproof.conf.schema import Experiment
from foldproof.flows.processes.schedule import Job
from foldproof.flows.processes.workers import submitted
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.training_panel import training_panel
from foldproof.tasks.data import load
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.split.task import Plan
from foldproof.tasks.timing import Timed
from foldproof.tasks.train import TrainedUnit, Unit
from foldproof.tasks.train.task import train
from foldproof.tasks.train.train import on_target
from foldproof.tasks.train.tuning import Setting, best_setting, grid, mean_rank_ic, usable_dates


@dataclass(eq=False)
class Tuned:
    """What was tried for each variant, and what was chosen.

    Attributes:
        default: The setting of a variant without a choice.
        forecasts: By variant and setting, the forecasts of the tuning folds.
        chosen: The setting of each variant.
        scores: By variant and setting, the mean daily rank IC on the tuning folds.
        failed: By variant, why it has no choice.
        seconds: CPU seconds.
    """

    default: Setting
    forecasts: dict[str, dict[Setting, list[pd.DataFrame]]] = field(default_factory=dict)
    chosen: dict[str, Setting] = field(default_factory=dict)
    scores: dict[str, dict[Setting, float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def setting(self, variant: str) -> Setting:
        """The setting of a variant."""
        return self.chosen.get(variant, self.default)

    def table(self, names: tuple[str, ...]) -> pd.DataFrame:
        """variant, the settings ``names``, rank_ic, chosen: one row per variant and setting."""
        return pd.DataFrame(
            [
                {"variant": variant, **one.values(names), "rank_ic": score}
                | {"chosen": one == self.chosen.get(variant)}
                for variant, scores in self.scores.items()
                for one, score in scores.items()
            ]
        )


def tune(experiment: Experiment, panel: Path, plan: Plan, screen: Screen) -> Tuned:
    """Train every variant with every setting on the tuning folds, and choose.

    The first seed is used. Without tuning folds nothing is trained.
    """
    tuned = Tuned(Setting(experiment.network, experiment.training))
    if not plan.tuning:
        return tuned
    settings = grid(experiment.tuning, tuned.default)
    jobs = [
        job
        for variant in experiment.variants
        for job in tuning_jobs(experiment, variant, settings, panel, plan, tuned)
    ]
    screen.follow(jobs)
    content = load(panel)
    embargo = experiment.split.embargo
    dates = usable_dates(content.dates, content.label_end, plan.folds[0], embargo)
    for variant, by_setting in tuned.forecasts.items():
        if variant in tuned.failed:
            continue
        scores = {one: mean_rank_ic(pd.concat(by_setting[one]), dates) for one in settings}
        try:
            tuned.chosen[variant] = best_setting(scores)
        except ValueError as error:
            tuned.failed[variant] = str(error)
            continue
        tuned.scores[variant] = scores
        values = tuned.chosen[variant].values(experiment.tuning.tried)
        text = ", ".join(f"{name} {value:g}" for name, value in values.items())
        screen.say(f"{variant:<22} tuned: {text}")
    return tuned


def tuning_jobs(
    experiment: Experiment,
    variant: str,
    settings: tuple[Setting, ...],
    panel: Path,
    plan: Plan,
    tuned: Tuned,
) -> list[Job]:
    """One job per setting and tuning fold; forecasts are scored on the comparison's target."""
    found = tuned.forecasts.setdefault(variant, {one: [] for one in settings})
    common, own = load(panel), training_panel(experiment, variant, panel)
    fingerprint, seed = load(own).fingerprint, experiment.seeds[0]

    def keep(setting: Setting, done: Timed[TrainedUnit]) -> None:
        found[setting].append(on_target(done.value, common))
        tuned.seconds += done.seconds

    def lose(error: Exception) -> None:
        tuned.failed.setdefault(variant, str(error))

    def unit(one: Setting, fold: Fold) -> Unit:
        network = experiment.network_of(variant, one.network)
        return Unit(variant, fold, seed, network, one.training, fingerprint, plan.hash)

    return [
        Job(
            f"tune {variant} fold {fold.number}",
            partial(submitted, train, unit(one, fold), own),
            partial(keep, one),
            lose,
        )
        for one in settings
        for fold in plan.tuning
    ]
