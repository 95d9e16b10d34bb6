"""Explain a logged model's forecasts: what changed them, feature by feature."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.explanation import ExplainRequest
from foldproof.flows.flow_runs.in_part import require_sent
from foldproof.flows.paths import EXPLANATIONS
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.attribute.task import explain_forecasts
from foldproof.tasks.report.attribution.explanation import explanation_sentence
from foldproof.tasks.report.task import draw_explanation
from foldproof.tasks.task import started
from foldproof.tasks.track.results.audit import file_name
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import find_model, log_explanation


@flow(name="explain", flow_run_name="{request.model}", description=__doc__)
def explain(request: ExplainRequest) -> list[Explanation]:
    """Fetch the model, attribute its forecasts, draw and log the explanations."""
    return explain_request(request)


def explain_request(request: ExplainRequest) -> list[Explanation]:
    """The steps of the flow; outside one they run without Prefect."""
    screen = Terminal()
    with TemporaryDirectory() as folder:
        model = find_model(request.tracking, request.model, Path(folder))
        explained = started(explain_forecasts)(
            model.weights, model.notes, request.rows, request.symbol, request.date, request.back,
            request.nodes, request.prices,
        ).value  # fmt: skip
    for one in explained:
        report = started(draw_explanation)(one)
        name = file_name(f"{one.symbol}-{one.date}")
        place = log_explanation(
            request.tracking, model.run_id, name, report, EXPLANATIONS.resolve()
        )
        screen.say(explanation_sentence(one))
        screen.say(f"figure and table: {place}")
    require_sent()
    return explained


def run_explain(
    request: ExplainRequest, api: AbstractContextManager[None] | None
) -> list[Explanation]:
    """Check that the tracking store answers, then run the flow; directly if ``api`` is None."""
    open_store(request.tracking)
    if api is None:
        return explain_request(request)
    with api:
        return explain(request)
