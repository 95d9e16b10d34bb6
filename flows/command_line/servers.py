"""The commands that run or reach a server: ui, serve and deploy."""

from typing import Annotated

import typer

from foldproof.flows.command_line.arguments import Overrides
from foldproof.flows.commands.shell import HOST, command, fail, late, port_in_use

AllConfig = Annotated[
    str,
    typer.Argument(
        help="A YAML file or preset for all flows; by default nightly for scheduled flows, "
        "sp500 for the others."
    ),
]
Timezone = Annotated[
    str,
    typer.Option(
        help="Time zone of the schedules and nights; by default operation.timezone.",
        show_default=False,
    ),
]


def ui(
    config: Annotated[
        str, typer.Argument(help="A YAML file or preset, whose tracking store is opened.")
    ] = "sp500",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI on the results, until Ctrl-C.

    Exit status 2: could not run, 130: ended by Ctrl-C.
    """
    if port_in_use(port):
        fail(
            f"port {port} of {HOST} is in use, perhaps by this UI already. "
            f"If not, use another port: --port {port + 1}"
        )
    with command(verbose=False, left="the MLflow UI has ended", serves=True):
        late("flows.commands.serve:show_ui")(config, port)


def serve(
    config: AllConfig = "",
    overrides: Overrides = None,
    timezone: Timezone = "",
    port: Annotated[int, typer.Option(help="Port of the Prefect server on 127.0.0.1.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow UI on 127.0.0.1.")] = 5000,
) -> None:
    """Run Prefect, MLflow and every flow, on schedule or on demand, on this machine until Ctrl-C.

    Exit status 2: could not run, 130: ended by Ctrl-C.
    """
    with command(
        verbose=True,
        left="all servers and runs have ended; run the same command again to resume",
        serves=True,
    ):
        given = config, overrides or [], timezone
        late("flows.commands.serve:serve_config")(*given, port, mlflow_port)


def deploy(
    config: AllConfig = "",
    overrides: Overrides = None,
    timezone: Timezone = "",
    pool: Annotated[str, typer.Option(help="A Prefect work pool of type process.")] = "foldproof",
) -> None:
    """Register every flow with the Prefect server at PREFECT_API_URL, for workers in this folder.

    Exit status 0: registered, 2: could not run.
    """
    with command(verbose=False, left="run the same command again"):
        given = config, overrides or [], timezone
        late("flows.commands.serve:deploy_config")(*given, pool)
