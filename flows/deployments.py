"""Every flow as a deployment: one mapping, from which `serve`, work pools and tests are built."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.logging import get_run_logger
from prefect.runtime import deployment as running
from prefect.schedules import Cron
from pydantic import BaseModel

from foldproof.flows.audit import audit as audit_flow
from foldproof.flows.compare import compare as compare_flow
from foldproof.flows.explain import explain as explain_flow
from foldproof.flows.monitor import monitor as monitor_flow
from foldproof.flows.processes.workers import end_with_parent
from foldproof.flows.retrain import retrain as retrain_flow
from foldproof.flows.score import score as score_flow

P = ParamSpec("P")
R = TypeVar("R")

POOL = "foldproof"
"""The work pool of prefect.yaml."""
TAG = "foldproof"
"""What all our deployments are tagged with."""


class DeployedFlow(Flow[P, R]):
    """A flow whose left-out settings are those of its deployment, at every depth.

    Prefect itself fills in whole parameters only: ``-p experiment={"name": "mine"}`` would lose
    everything else that the deployment says of the experiment.
    """

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters, filled in and cast to the types of the flow.

        Raises:
            ParameterTypeError: A value is out of bounds or a key is unknown; names the field.
        """
        return super().validate_parameters(filled(deployed_parameters(), parameters))


def deployed(flow: Flow[P, R]) -> DeployedFlow[P, R]:
    """The same flow for a deployment: what it prints goes to its log in the Prefect UI too."""

    @wraps(flow.fn)
    def logged(*args: P.args, **kwargs: P.kwargs) -> R:
        if "PREFECT__FLOW_RUN_ID" in os.environ:  # this process runs this flow and nothing else
            end_with_parent()
        with printing_to_log():
            return flow.fn(*args, **kwargs)

    return DeployedFlow(
        logged, name=flow.name, description=flow.description, task_runner=flow.task_runner
    )


compare = deployed(compare_flow)
audit = deployed(audit_flow)
explain = deployed(explain_flow)
retrain = deployed(retrain_flow)
score = deployed(score_flow)
monitor = deployed(monitor_flow)


@dataclass(frozen=True)
class Deployment:
    """How a flow is deployed.

    Attributes:
        flow: As it stands in this module under its own name.
        title: One line for the UI.
        preset: What its form opens with unless a configuration is given.
        parameters: From the experiment of the deployment to the parameters that a form opens with.
        cron: When it runs by itself; None on demand only. Weekdays, since a calendar of holidays is
            one of the data: on a night without new rows the flow itself says that there is nothing
            new.
        alone: Whether a second run waits until the first has ended.
    """

    flow: DeployedFlow[..., Any]
    title: str
    preset: str
    parameters: Callable[[dict[str, Any]], dict[str, Any]]
    cron: str | None = None
    alone: bool = False


def of_experiment(experiment: dict[str, Any]) -> dict[str, Any]:
    """The parameters of most flows."""
    return {"experiment": experiment}


def of_model(experiment: dict[str, Any]) -> dict[str, Any]:
    """Of an explanation: the best variant of the newest comparison."""
    return {"request": {"model": "latest", "tracking": experiment["tracking"]}}


DEPLOYMENTS: Mapping[str, Deployment] = MappingProxyType(
    {
        "compare": Deployment(
            compare, "Which normalization should it use?", "sp500", of_experiment
        ),
        "audit": Deployment(
            audit,
            "Does anything see the future?",
            "sp500",
            lambda experiment: {"experiment": experiment, "quick": True},
        ),
        "explain": Deployment(explain, "Which features carry a forecast?", "sp500", of_model),
        "retrain": Deployment(
            retrain,
            "A new model, and the champion only through the gate",
            "nightly",
            of_experiment,
            cron="0 20 * * 5",
            alone=True,
        ),
        "score": Deployment(
            score,
            "The champion on tonight's rows",
            "nightly",
            of_experiment,
            cron="0 18 * * 1-5",
            alone=True,
        ),
        "monitor": Deployment(
            monitor,
            "What past scores were worth, and what drifts",
            "nightly",
            of_experiment,
            cron="0 19 * * 1-5",
            alone=True,
        ),
    }
)
"""By name of the flow; the deployment is called ``<flow>/<configuration>``."""


def deployments(
    experiment_of: Callable[[str], tuple[str, BaseModel]], timezone: str, pool: str | None = None
) -> tuple[RunnerDeployment, ...]:
    """All deployments, each with an experiment as what its form opens with.

    Args:
        experiment_of: From a deployment's preset to the name of the configuration, which becomes
            the deployment's, and the experiment.
        timezone: Of the schedules, such as ``Europe/Berlin``.
        pool: The work pool; None to be served.
    """
    return tuple(
        runner_deployment(key, one, *experiment_of(one.preset), timezone, pool)
        for key, one in DEPLOYMENTS.items()
    )


def runner_deployment(
    key: str, one: Deployment, name: str, experiment: BaseModel, timezone: str, pool: str | None
) -> RunnerDeployment:
    """As Prefect takes it. It finds the flow by module, so that any working directory will do."""
    limit = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    return RunnerDeployment.from_entrypoint(
        f"{__name__}.{key}",
        name,
        description=one.title,
        parameters=one.parameters(experiment.model_dump(mode="json")),
        schedule=Cron(one.cron, timezone=timezone) if one.cron else None,
        concurrency_limit=limit if one.alone else None,
        work_pool_name=pool,
        tags=[TAG],
    )


def deployed_parameters() -> dict[str, Any]:
    """What the deployment of the running flow says; empty where there is none."""
    if not running.id:
        return {}
    with get_client(sync_client=True) as client:
        return dict(client.read_deployment(running.id).parameters)


def filled(default: Any, given: Any) -> Any:
    """``given`` with the keys of ``default`` that it leaves out, mapping by mapping."""
    if not isinstance(default, dict) or not isinstance(given, dict):
        return given
    return default | {
        key: filled(default[key], value) if key in default else value
        for key, value in given.items()
    }


@contextmanager
def printing_to_log() -> Iterator[None]:
    """Lines printed inside go to the flow run's log, and from there wherever its log goes."""
    with LogLines(get_run_logger().info) as lines, redirect_stdout(lines):
        yield


class LogLines(io.TextIOBase):
    """A text stream that hands over whole lines."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self.say = say
        self.rest = ""

    def write(self, text: str) -> int:
        """Take ``text``; lines that it ends are handed over, but for empty ones."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line.strip():
                self.say(line)
        return len(text)

    def close(self) -> None:
        """Hand over what is left; asked for by ``with``."""
        if not self.closed:
            self.write("\n")
        super().close()
