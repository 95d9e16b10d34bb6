"""Names and numbers as readers see them, shared by pages, figures and Markdown."""

import math
import re
from collections.abc import Iterable, Mapping

from foldproof.tasks.decompose.rows import ENSEMBLE
from foldproof.tasks.train import PREFIX, REFERENCES
from foldproof.tasks.train.single_features import FEATURE


def is_reference(name: str) -> bool:
    """Whether ``name`` is a reference forecaster, not an LSTM variant."""
    return name.startswith(PREFIX)


def label(name: str) -> str:
    """The readable name of a variant or reference: ``ref:ridge`` -> ridge regression.

    The variant ``none`` becomes "no normalization", because its key reads as "nothing".
    """
    if is_reference(name):
        key = name.removeprefix(PREFIX)
        if key.startswith(FEATURE):
            return f"{key.removeprefix(FEATURE)} alone"
        if name == ENSEMBLE:
            return "ensemble of candidates"
        return REFERENCES[key].title if key in REFERENCES else key
    return "no normalization" if name == "none" else re.sub(r"[\w.]+:", "", name)


def in_sentence(name: str) -> str:
    """The readable name within a sentence: ``ref:zero`` -> the zero forecast.

    The names of the other references are uncountable or plural and take no article.
    """
    return f"the {label(name)}" if name == f"{PREFIX}zero" else label(name)


def listed(words: Iterable[str]) -> str:
    """A, B and C; each once."""
    *head, last = list(dict.fromkeys(words)) or ["nothing"]
    return f"{', '.join(head)} and {last}" if head else last


def names(keys: Iterable[str]) -> str:
    """The readable names of variants or references, as a list within a sentence."""
    return listed(map(in_sentence, keys))


def on_own_batches(over: Mapping[str, str], reference: str) -> str:
    """Which gains are not over ``reference`` but over it on other batches; empty if none.

    Args:
        over: By variant, the base of its gain (:func:`~foldproof.tasks.compare.bases.bases_of`).
        reference: The variant that the other gains are over.
    """
    parts = {
        base: names(name for name, own in over.items() if own == base)
        for base in dict.fromkeys(over.values())
        if base != reference
    }
    return "; ".join(f"{who} against {label(base)}" for base, who in parts.items())


def counted(number: int, noun: str) -> str:
    """``1 day``, ``2 days``."""
    return f"{number} {noun}" + ("s" if number != 1 else "")


def minus(text: str) -> str:
    """The text with true minus signs, which do not break at line ends."""
    return text.replace("-", "\N{MINUS SIGN}")


def number(value: object, form: str = "+.4f") -> str:
    """A formatted number; a dash where there is none."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return minus(format(value, form)) if known else "–"


def plain(text: str) -> str:
    """The text without class names of Python exceptions, such as ``ValueError:``."""
    return re.sub(r"\b[A-Za-z_.]*(Error|Exception): ", "", text)
