"""The code of a logged model: MLflow runs this file when the model is loaded."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from foldproof.tasks.data import DataError
from foldproof.tasks.train.serving.model import read_served


class ServedForecaster(PythonModel):
    """Raw rows (date, symbol, columns) in, one score per symbol for the last date out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read weights and notes from the model's artifacts."""
        files = {name: Path(path) for name, path in context.artifacts.items()}
        self.served = read_served(files["weights"], files["notes"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Scores: date, symbol, score in target units; NaN for symbols without enough history.

        Raises:
            MlflowException: The rows are invalid; the message names the column. A server returns
                it with status 400; for any other error it would show the traceback.
        """
        try:
            scores = self.served.score(model_input)
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        return scores.assign(date=scores["date"].astype(str))


set_model(ServedForecaster())
