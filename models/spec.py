"""What decides a network and its training: the two specs that an experiment sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


def as_form(schema: dict[str, Any], spec: type) -> None:
    """Make a spec's JSON schema one to fill a form by.

    Nothing is required, because a form opens with values and a key that is left out takes the one
    it opened with. Help is the first paragraph of the docstring. Bounds and choices that the types
    do not tell are those of the class's ``__form__``: field -> JSON schema to add.
    """
    schema.pop("required", None)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split("\n\n")[0].split())
    added: Mapping[str, Mapping[str, Any]] = getattr(spec, "__form__", {})
    for name, rules in added.items():
        field = schema["properties"][name]
        if "anyOf" in rules:
            for told_there in ("type", "items"):
                field.pop(told_there, None)
        field.update(rules)


STRICT = {"extra": "forbid", "use_attribute_docstrings": True, "json_schema_extra": as_form}
"""How configuration reads a spec: unknown keys are errors, texts under fields are help."""


def one_of(names: Iterable[str]) -> dict[str, Any]:
    """JSON schema of one of ``names``, or of one's own that is imported."""
    own = {"type": "string", "pattern": OWN, "title": "your own, package.module:attribute"}
    return {"anyOf": [{"type": "string", "enum": list(names), "title": "built in"}, own]}


def some_of(names: Iterable[str]) -> dict[str, Any]:
    """JSON schema of a list of these. Prefect draws a list of plain choices, or of plain texts."""
    built_in = {"type": "string", "enum": list(names)}
    text = {"type": "string", "pattern": "|".join([*(f"^{name}$" for name in names), OWN])}
    return {
        "anyOf": [
            {"type": "array", "title": "built in", "items": built_in},
            {"type": "array", "title": "your own too, package.module:attribute", "items": text},
        ]
    }


OWN = r"^[\w.]+:\w+$"
"""Pattern of a name that is imported."""


def at_least(least: float, *names: str) -> dict[str, dict[str, float]]:
    """A lower bound of the fields ``names`` for a class's ``__form__``."""
    return {name: {"minimum": least} for name in names}


def require(holds: bool, invariant: str) -> None:
    """Raise ValueError with ``invariant`` unless it holds."""
    if not holds:
        raise ValueError(invariant)


@dataclass(frozen=True)
class NetworkSpec:
    """An LSTM that reads a window of T rows and forecasts from the last step's hidden state."""

    __pydantic_config__ = STRICT
    __form__ = at_least(1, "window", "hidden", "layers") | {
        "dropout": {"minimum": 0, "exclusiveMaximum": 1}
    }

    window: int = 20
    """Rows (trading days) in a window, T."""
    hidden: int = 32
    """Units in the hidden state, H."""
    layers: int = 1
    """Stacked LSTM layers."""
    dropout: float = 0.0
    """Dropout between layers and before the head, in [0, 1)."""

    def __post_init__(self) -> None:
        for name in ("window", "hidden", "layers"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1; it is {value}")
        require(0 <= self.dropout < 1, f"dropout must lie in [0, 1); it is {self.dropout}")


@dataclass(frozen=True)
class TrainingSpec:
    """How a network is fitted: loss, batch composition, AdamW, early stopping."""

    __pydantic_config__ = STRICT
    __form__ = at_least(1, "batch_size", "epochs", "patience") | {
        "learning_rate": {"exclusiveMinimum": 0},
        "clip_norm": {"exclusiveMinimum": 0},
        "weight_decay": {"minimum": 0},
    }

    loss: Literal["mse", "rank_correlation"] = "mse"
    """mse, or rank_correlation: minus the correlation of forecasts with target ranks, by date."""
    batches: Literal["shuffled", "date", "date_block", "symbol", "chronological"] = "shuffled"
    """Which samples share a batch; see models.batches. A variant may need one of its own."""
    batch_size: int = 512
    """Samples in a batch (an upper bound where whole dates or one symbol make up a batch)."""
    epochs: int = 12
    """Passes over the training block at most."""
    patience: int = 3
    """Epochs without a better validation loss before training stops; the best weights are kept."""
    learning_rate: float = 2e-3
    """AdamW step size."""
    weight_decay: float = 1e-3
    """AdamW decoupled weight decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this Euclidean norm at most."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes CUDA when there is one."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "patience"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1; it is {value}")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            require(value > 0, f"{name} must be positive; it is {value}")
        require(
            self.weight_decay >= 0, f"weight_decay must not be negative; it is {self.weight_decay}"
        )
        require(
            self.loss != "rank_correlation" or self.batches not in ("shuffled", "symbol"),
            f"loss rank_correlation needs whole dates in a batch; batches is {self.batches!r}: "
            "take date, date_block or chronological",
        )
