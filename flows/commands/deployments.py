"""Every flow as a Prefect deployment: one mapping for ``serve``, ``deploy`` and the tests."""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar
from zoneinfo import available_timezones

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.logging import get_run_logger
from prefect.runtime import deployment as running
from prefect.schedules import Cron

from foldproof.conf.form import short_form
from foldproof.conf.load import ConfigError, load
from foldproof.conf.schema import Experiment
from foldproof.flows.audit import audit as audit_flow
from foldproof.flows.commands.clean import in_use
from foldproof.flows.commands.shell import RESULTS_PATH, RUN_SETTINGS
from foldproof.flows.compare import compare as compare_flow
from foldproof.flows.explain import explain as explain_flow
from foldproof.flows.flow_runs.heartbeat import EVERY
from foldproof.flows.monitor import monitor as monitor_flow
from foldproof.flows.paths import RESULTS
from foldproof.flows.processes.workers import end_with_parent
from foldproof.flows.retrain import retrain as retrain_flow
from foldproof.flows.score import score as score_flow
from foldproof.models.spec import nearest
from foldproof.tasks.operate.spec import is_timezone

P = ParamSpec("P")
R = TypeVar("R")

HOUR = 3600.0
TAG = "foldproof"
"""Tag of all our deployments."""


class DeployedFlow(Flow[P, R]):
    """A flow that takes left-out settings from its deployment, at every depth.

    Prefect itself fills in whole parameters only: ``-p experiment={"name": "mine"}`` would lose
    every other setting of the deployment's experiment.
    """

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters, completed and cast to the flow's types.

        Raises:
            ParameterTypeError: A value is out of bounds or a key is unknown; names the field.
        """
        return super().validate_parameters(completed(parameters, deployed_parameters()))


def deployed(flow: Flow[P, R], timeout: float | None = None) -> DeployedFlow[P, R]:
    """The same flow for a deployment: its printed lines also go to its log in the Prefect UI.

    Args:
        flow: The flow.
        timeout: Seconds after which a run fails. A flow that runs alone needs it: a run that hangs,
            on a database for instance, would hold up all later ones.
    """

    @wraps(flow.fn)
    def logged(*args: P.args, **kwargs: P.kwargs) -> R:
        if "PREFECT__FLOW_RUN_ID" in os.environ:  # this process runs this flow and nothing else
            end_with_parent()
        with in_use(), LogLines(get_run_logger().info) as lines, redirect_stdout(lines):
            return flow.fn(*args, **kwargs)

    return DeployedFlow(
        logged,
        name=flow.name,
        flow_run_name=flow.flow_run_name,
        description=flow.description,
        task_runner=flow.task_runner,
        timeout_seconds=timeout,
    )


compare = deployed(compare_flow)
audit = deployed(audit_flow)
explain = deployed(explain_flow)
retrain = deployed(retrain_flow, 20 * HOUR)
score = deployed(score_flow, 2 * HOUR)
monitor = deployed(monitor_flow, 2 * HOUR)


@dataclass(frozen=True)
class Deployment:
    """How a flow is deployed.

    Attributes:
        flow: The flow of this module with the deployment's name.
        title: One line for the UI.
        preset: The configuration in its form unless another is given.
        parameters: From the experiment to the parameters in the form.
        cron: Its schedule; None for on demand only. Holidays need no calendar: on a day without new
            rows the flow reports that nothing is new.
        shown: The settings in its form, by section. All others keep the deployment's values, unless
            a request over the API or in the form's JSON view gives them.
        alone: Whether a second run waits until the first has ended.
    """

    flow: DeployedFlow[..., Any]
    title: str
    preset: str
    shown: Mapping[str, Sequence[str]]
    parameters: Callable[[dict[str, Any]], dict[str, Any]] = lambda it: {"experiment": it}
    cron: str | None = None
    alone: bool = False


COMPARED: Mapping[str, Sequence[str]] = MappingProxyType({
    "Experiment": (
        "name", "variants", "references", "data", "target", "split", "network", "training", "seeds",
    ),
    "DataSpec": ("source", "path", "start", "end"),
    "TargetSpec": ("horizon", "kind"),
    "WalkForward": ("train", "validation", "test", "keep"),
    "CombinatorialPurged": ("plan", "groups", "tested", "validation", "embargo"),
    "NetworkSpec": ("window", "hidden"),
    "TrainingSpec": ("epochs", "learning_rate"),
})  # fmt: skip
"""Settings in the form of a comparison or an audit."""
NIGHT: Mapping[str, Sequence[str]] = MappingProxyType({
    "Experiment": ("operation", "data"),
    "OperationSpec": ("as_of", "model"),
    "DataSpec": ("source", "path"),
})  # fmt: skip
"""Settings in the form of a nightly flow."""
EXPLAINED: Mapping[str, Sequence[str]] = MappingProxyType(
    {"ExplainRequest": ("model", "symbol", "date", "back", "rows")}
)
"""Settings in the form of an explanation."""

DEPLOYMENTS: Mapping[str, Deployment] = MappingProxyType(
    {
        "compare": Deployment(
            compare, "Which normalization should the LSTM use?", "sp500", COMPARED
        ),
        "audit": Deployment(
            audit, "Does anything see the future?", "sp500", COMPARED,
            lambda experiment: {"experiment": experiment, "quick": True},
        ),
        "explain": Deployment(
            explain, "Which features carry a forecast?", "sp500", EXPLAINED,
            lambda it: {"request": {"model": "latest", "tracking": it["tracking"]}},
        ),
        "retrain": Deployment(
            retrain, "Train new models; a gate decides whether the champion changes", "nightly",
            {**NIGHT, "Experiment": ("variants", "operation", "data")},
            cron="0 20 * * 5", alone=True,
        ),
        "score": Deployment(
            score, "Score the newest rows with the champion", "nightly", NIGHT,
            cron="0 18 * * 1-5", alone=True,
        ),
        "monitor": Deployment(
            monitor, "Were past scores right, and does anything drift?", "nightly", NIGHT,
            cron="0 19 * * 1-5", alone=True,
        ),
    }
)  # fmt: skip
"""By name of the flow; the deployment is called ``<flow>-<configuration>``."""


def configured(config: str, overrides: Sequence[str]) -> Callable[[str], tuple[str, Experiment]]:
    """From a deployment's preset to the name and experiment to deploy.

    Args:
        config: A file or preset for all deployments; empty for each one's own preset.
        overrides: key=value.
    """
    return cache(lambda preset: (Path(config or preset).stem, load(config or preset, overrides)))


def deployments(
    experiment_of: Callable[[str], tuple[str, Experiment]], timezone: str, pool: str | None = None
) -> tuple[RunnerDeployment, ...]:
    """All deployments, each with the experiment that its form shows.

    Args:
        experiment_of: From a deployment's preset to the name of the deployment and its experiment.
        timezone: Time zone of the schedules and the nights, such as ``Europe/Berlin``; empty for
            ``operation.timezone`` of the configuration.
        pool: A work pool, whose workers run in the present directory; None to be served.

    Raises:
        ConfigError: There is no such time zone, or a configuration cannot be used.
    """
    if timezone and not is_timezone(timezone):
        hint = nearest(timezone, available_timezones())
        raise ConfigError(
            f"--timezone must be an IANA name such as Europe/Berlin; it is {timezone!r}{hint}"
        )
    return tuple(
        runner_deployment(key, one, *in_zone(*experiment_of(one.preset), timezone), pool)
        for key, one in DEPLOYMENTS.items()
    )


def in_zone(name: str, experiment: Experiment, timezone: str) -> tuple[str, Experiment]:
    """The name and the experiment, with its nights in ``timezone`` if that is given."""
    own = replace(experiment.operation, timezone=timezone or experiment.operation.timezone)
    return name, experiment.model_copy(update={"operation": own})


def runner_deployment(
    key: str, one: Deployment, name: str, experiment: Experiment, pool: str | None
) -> RunnerDeployment:
    """The deployment as a Prefect object.

    It names the flow by module, so that it does not depend on the working directory.
    """
    values = experiment.model_dump(mode="json")
    limit = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    made = RunnerDeployment.from_entrypoint(
        f"{__name__}.{key}",
        f"{key}-{name}",
        description=one.title,
        parameters=one.parameters(values),
        schedule=Cron(one.cron, timezone=experiment.operation.timezone) if one.cron else None,
        concurrency_limit=limit if one.alone else None,
        work_pool_name=pool,
        job_variables={"working_dir": str(Path.cwd()), "env": pool_settings()} if pool else None,
        tags=[TAG],
    )
    form = made._parameter_openapi_schema  # Prefect has no other way to change it
    form.definitions = short_form(form.definitions, one.shown, values)
    return made


def pool_settings() -> dict[str, str]:
    """Environment of a run of a pool: it finds units that the shell trained, and it reports."""
    beat = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(EVERY)}
    return RUN_SETTINGS | beat | {RESULTS_PATH: str(RESULTS.resolve())}


def deployed_parameters() -> dict[str, Any]:
    """Parameters of the running flow's deployment; empty without one."""
    if not running.id:
        return {}
    with get_client(sync_client=True) as client:
        return dict(client.read_deployment(running.id).parameters)


def completed(given: Any, default: Any) -> Any:
    """``given`` with the keys of ``default`` that it leaves out, mapping by mapping."""
    if not isinstance(default, dict) or not isinstance(given, dict):
        return given
    return default | {
        key: completed(value, default[key]) if key in default else value
        for key, value in given.items()
    }


class LogLines(io.TextIOBase):
    """A text stream that passes whole lines to a function."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self.say = say
        self.rest = ""

    def write(self, text: str) -> int:
        """Add ``text``; pass on the lines that it completes, except empty ones."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line.strip():
                self.say(line)
        return len(text)

    def close(self) -> None:
        """Pass on the rest."""
        if not self.closed:
            self.write("\n")
        super().close()
