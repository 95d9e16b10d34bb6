"""The specs of a network and its training, and the checks that every spec shares.

A spec is a frozen dataclass of settings. It states the bounds of its numbers once, as
``__bounds__``, and the choices of its names, as ``__choices__``: the spec's own check and the form
of the Prefect UI read both.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from reprlib import Repr
from typing import Any, ClassVar, Literal

import numpy as np

STRICT = {"extra": "forbid", "use_attribute_docstrings": True}
"""How configuration reads a spec: unknown keys are errors, texts under fields are help."""

OWN = "package.module:attribute"
"""How users name a variant or a function of their own."""

TargetName = Literal[
    "return", "market_relative", "cs_zscore", "cs_rank", "cs_rank_normal", "volatility_scaled"
]  # fmt: skip
"""The kinds of target, which tasks.data computes; a variant may name the one that it trains on."""


STYLES = ("momentum_252_21", "volatility_63", "return_5", "beta_63")
"""Features that are styles of risk models: momentum, volatility, short-term reversal (the sign of
return_5 turned) and market beta."""


@dataclass(frozen=True)
class Interval:
    """The values that a number may take.

    Attributes:
        low: Lower end.
        high: Upper end; infinite where there is none.
        open_low: Whether the lower end itself is excluded.
        open_high: Whether the upper end itself is excluded.
    """

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @property
    def unbounded(self) -> bool:
        """Whether there is no upper end."""
        return math.isinf(self.high)

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        if self.unbounded:
            return f"be {'greater than' if self.open_low else 'at least'} {self.low:g}"
        return f"lie in {'[('[self.open_low]}{self.low:g}, {self.high:g}{'])'[self.open_high]}"

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError unless ``value``, or each entry of a tuple, lies inside; None passes.

        ``name`` is what the message calls it.
        """
        for entry in value if isinstance(value, tuple) else (value,):
            if entry is not None:
                require(entry in self, f"{name} must {self}; it is {clipped(entry)}")


def at_least(low: float, *names: str) -> dict[str, Interval]:
    """Lower bound of the fields ``names``, for ``__bounds__``."""
    return dict.fromkeys(names, Interval(low))


def within(interval: str, *names: str) -> dict[str, Interval]:
    """Bounds of the fields ``names``, written as in ``[0, 1)``, for ``__bounds__``."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    return dict.fromkeys(names, Interval(low, high, interval[0] == "(", interval[-1] == ")"))


class Spec:
    """Base of the frozen dataclasses that hold settings: it checks the bounds of their numbers.

    Raises:
        ValueError: A number outside its interval; the message names field, bound and value.
    """

    __pydantic_config__ = STRICT
    __bounds__: ClassVar[Mapping[str, Interval]] = {}
    """Field -> interval of its value, or of each entry of a tuple; None is always allowed."""
    __choices__: ClassVar[Mapping[str, Iterable[str]]] = {}
    """Field -> names that it takes, or that each entry takes; OWN among them, or another form with
    a colon, allows any name of that form."""

    def __post_init__(self) -> None:
        plain_numbers(self)
        for name in {**self.__bounds__, **self.__choices__}:
            check_setting(self, name, getattr(self, name))


def plain_numbers(spec: Any) -> None:
    """Make the NumPy numbers among the fields of a frozen ``spec`` into Python's.

    They come from computed sizes, and print and hash differently.
    """
    for name, value in [*vars(spec).items()]:
        if isinstance(value, np.generic):
            object.__setattr__(spec, name, value.item())


def check_setting(spec: Any, name: str, value: Any) -> None:
    """Raise ValueError unless ``value`` suits the bounds and choices of the field ``name``."""
    if name in spec.__bounds__:
        spec.__bounds__[name].check(name, value)
    choices = [*spec.__choices__.get(name, ())]
    for entry in (value if isinstance(value, tuple) else (value,)) if choices else ():
        # users' own names and combinations such as "a + b -> target" are checked when resolved
        own = own_form(choices) and (entry.count(":") == 1 or not set("+@>&(~").isdisjoint(entry))
        hint = nearest(entry, choices) or f"; there are {', '.join(choices)}"
        require(own or entry in choices, f"{name} has no choice {clipped(entry)}{hint}")


def own_form(choices: Iterable[str]) -> str:
    """The choice that stands for names of users, such as ``OWN``; empty if there is none."""
    return next((name for name in choices if ":" in name), "")


def require(holds: bool, invariant: str) -> None:
    """Raise ValueError with ``invariant`` unless it holds."""
    if not holds:
        raise ValueError(invariant)


LONGEST = 200
"""Characters of a value that a message quotes at most."""


def clipped(value: Any, length: int = LONGEST) -> str:
    """``value`` as a message quotes it: its representation, cut in the middle if it is long.

    Only the beginning of a long text, list or mapping is represented at all, because a few lines of
    YAML can stand for gigabytes.
    """
    return brief(BRIEF.repr(value), length)


def brief(text: str, length: int = LONGEST) -> str:
    """``text``, cut in the middle if it is longer than ``length``."""
    half = length // 2
    return text if len(text) <= length else f"{text[: half - 2]} ... {text[-half + 3 :]}"


BRIEF = Repr()
BRIEF.maxlevel, BRIEF.maxdict, BRIEF.maxlist, BRIEF.maxtuple, BRIEF.maxset = 4, 12, 12, 12, 12
BRIEF.maxstring = BRIEF.maxother = BRIEF.maxlong = LONGEST


def require_distinct(values: Iterable[Any], what: str) -> None:
    """Raise ValueError, naming the duplicates, unless ``values`` differ from one another."""
    entries = [*values]
    twice = sorted({str(entry)[:LONGEST] for entry in entries if entries.count(entry) > 1})
    require(not twice, f"duplicate {what}: {', '.join(twice)}")


def nearest(name: str, choices: Iterable[str], prefix: str = "") -> str:
    """``; did you mean x?`` for the choice most like ``name``; empty where none is similar.

    Upper and lower case count as equal. ``prefix`` is put before the choice.
    """
    if len(name) > LONGEST:  # the search takes time with the square of the length
        return ""
    by_lower = {str(choice).lower(): str(choice) for choice in choices}
    for found in get_close_matches(name.lower(), by_lower, n=1):
        choice = by_lower[found]
        return f"; did you mean {prefix}{choice if choice == choice.strip() else repr(choice)}?"
    return ""


def unknown(what: str, name: str, choices: Mapping[str, Any]) -> str:
    """The message for a ``name`` that is not a key of ``choices``, with the nearest key or all."""
    hint = nearest(name, choices) or f"; there are {', '.join(choices)}"
    return f"there is no {what} {clipped(name)}{hint}"


@dataclass(frozen=True)
class NetworkSpec(Spec):
    """An LSTM that reads a window of T rows and forecasts from the last step's hidden state."""

    __bounds__ = at_least(1, "window", "hidden", "layers") | within("[0, 1)", "dropout")

    window: int = 20
    """Rows (trading days) in a window, T."""
    hidden: int = 32
    """Units in the hidden state, H."""
    layers: int = 1
    """Stacked LSTM layers."""
    dropout: float = 0.0
    """Dropout between layers and before the head, in [0, 1)."""
    denormalize: bool = True
    """Undo the normalization of a window on the forecast, where the variant does (revin, dish_ts).
    A comparison never does for a cross-sectional target, which continues no feature."""


@dataclass(frozen=True)
class TrainingSpec(Spec):
    """How a network is fitted: loss, batch composition, AdamW, early stopping."""

    __bounds__ = (
        at_least(1, "batch_size", "chunk", "epochs", "patience")
        | at_least(0, "weight_decay")
        | within("(0, inf)", "learning_rate", "clip_norm")
    )

    loss: Literal["mse", "rank_correlation"] = "mse"
    """mse, or rank_correlation: minus the correlation of forecasts and target ranks by date."""
    batches: Literal["shuffled", "date", "date_block", "symbol", "chronological"] = "shuffled"
    """The samples that share a batch; see models.batches. A variant may prescribe it."""
    samples: Literal["windows", "chunks"] = "windows"
    """What is learned from: windows, each with one label, or chunks, which carry the LSTM along a
    stock's days with a label on each: several times faster, not the same training."""
    chunk: int = 60
    """Days with a label in a chunk, after network.window - 1 days of burn-in; for chunks only."""
    batch_size: int = 512
    """Samples in a batch; an upper bound if a batch consists of whole dates or of one symbol."""
    epochs: int = 12
    """Maximum number of passes over the training block."""
    patience: int = 3
    """Epochs without a better validation loss until training stops; the best weights are kept."""
    learning_rate: float = 2e-3
    """AdamW step size."""
    weight_decay: float = 1e-3
    """AdamW decoupled weight decay."""
    clip_norm: float = 1.0
    """Gradients with a larger Euclidean norm are scaled down to it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device to train on; auto uses CUDA if there is one."""
    engine: Literal["auto", "native", "torch"] = "auto"
    """What runs the LSTM on a CPU: native is compiled C, faster; auto uses it where it is built."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.loss != "rank_correlation" or self.batches not in ("shuffled", "symbol"),
            f"loss rank_correlation needs whole dates in a batch; batches is {self.batches!r}: "
            "set it to date, date_block or chronological",
        )
        require(
            self.samples == "windows" or (self.loss == "mse" and self.batches == "shuffled"),
            "training.samples chunks averages the loss over chunks drawn at random: it needs loss "
            f"mse and batches shuffled; they are {self.loss!r} and {self.batches!r}",
        )
