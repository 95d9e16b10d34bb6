"""Variants by name: ``cs_rank + layer_norm``, ``zscore @ date_block``, ``zscore -> cs_rank``."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, cast, get_args

from foldproof.models.batches import BATCHES
from foldproof.models.normalizers.variant import Variant
from foldproof.models.spec import TargetName, require, unknown

PLUS, AT, TO = " + ", " @ ", " -> "
PLACES = {"window": "the windows", "cell": "the LSTM's cell", "hidden": "the last hidden state"}
Z, THEN = re.compile(", z(_date)? = .*"), ", then "
"""How the formula and the statistics of a variant mention the z-score before it."""
COUPLINGS = ("none", "date", "batch")
"""From the weakest to the strongest."""


class NameParts(NamedTuple):
    """The parts of a variant's name.

    Attributes:
        names: The variants that it combines.
        batches: The batches after ``@``; empty without.
        target: The kind of target after ``->``; empty without.
    """

    names: list[str]
    batches: str
    target: str


def split_name(name: str) -> NameParts:
    """The parts of a variant's name."""
    front, _, target = name.partition(TO)
    parts, _, batches = front.partition(AT)
    return NameParts(parts.split(PLUS), batches, target)


def combined(names: Sequence[str], variants: Sequence[Variant]) -> Variant:
    """The input normalizer of the first variant, and the other normalizers of all.

    The input normalizers of the others are left out: in ``cs_rank + layer_norm`` the rank takes the
    place of the z-score that ``layer_norm`` has.

    Raises:
        ValueError: Two normalize the same place or need different batches, or a later one
            normalizes the input only.
    """
    title, (first, *others) = PLUS.join(names), variants
    for name, other in zip(names[1:], others, strict=True):
        require(
            any(getattr(other, place) for place in PLACES),
            f"variant {title!r}: {name} normalizes nothing but the input, which is normalized by "
            "the first name of a combination only; put it first, or leave it out",
        )
    for place, words in PLACES.items():
        holders = [n for n, one in zip(names, variants, strict=True) if getattr(one, place)]
        require(
            len(holders) < 2,
            f"variant {title!r}: {' and '.join(holders)} both normalize {words}; keep one of them",
        )
    targets = sorted({one.target for one in variants if one.target})
    require(
        len(targets) < 2,
        f"variant {title!r} trains on the targets {' and '.join(targets)} at once; leave out one",
    )
    batches = sorted({one.batches for one in variants if one.batches})
    require(
        len(batches) < 2,
        f"variant {title!r} needs {' and '.join(batches)} batches at once; leave out one of them",
    )
    return Variant(
        title=PLUS.join(one.title for one in variants),
        formula=THEN.join(Z.sub("", one.formula) for one in variants),
        input=first.input,
        window=next((one.window for one in variants if one.window), None),
        cell=next((one.cell for one in variants if one.cell), None),
        hidden=next((one.hidden for one in variants if one.hidden), None),
        batches=batches[0] if batches else None,
        target=targets[0] if targets else None,
        coupling=strongest(first.coupling, others, "coupling"),
        training_coupling=strongest(first.training_coupling, others, "training_coupling"),
        scoring=next((one.scoring for one in variants if one.scoring), None),
        statistics=THEN.join(
            [
                first.statistics,
                *(one.statistics.partition(THEN)[2] or one.statistics for one in others),
            ]
        ),
        unbounded=first.unbounded,
        groups=first.groups,
        **claims(variants),
    )


def claims(variants: Sequence[Variant]) -> dict[str, Any]:
    """What variants that work together claim: causality of all, weaknesses and texts of each."""
    found: dict[str, Any] = {
        name: all(getattr(one, name) for one in variants) for name in ("causal", "causal_steps")
    }
    found |= {name: any(getattr(one, name) for one in variants) for name in ("positive", "control")}
    for name in ("source", "good_for", "trap", "kinks"):
        texts = [getattr(one, name) for one in variants]
        found[name] = "; ".join(dict.fromkeys(filter(None, texts)))
    return found


def strongest(
    first: str, others: Sequence[Variant], claim: str
) -> Literal["none", "date", "batch"]:
    """The strongest coupling of variants of which all but the first lose their input normalizer.

    Of these, only a normalizer of the hidden state can couple the samples of a date.
    """
    kept = [getattr(one, claim) for one in others]
    kept = [own for own, one in zip(kept, others, strict=True) if own != "date" or one.hidden]
    return max((first, *kept), key=COUPLINGS.index)


def on_batches(name: str, variant: Variant, batches: str) -> Variant:
    """``variant`` trained on stated batches: the partner of a variant that needs them.

    ``batch_norm_date`` trains on date blocks, ``zscore`` on the batches of the settings, so the two
    differ in two respects; ``zscore @ date_block`` differs in its normalization only.

    Raises:
        ValueError: There are no such batches, or the variant needs others.
    """
    require(batches in BATCHES, f"variant {name!r}: {unknown('batches', batches, BATCHES)}")
    require(
        variant.batches in (None, batches),
        f"variant {name!r} needs {variant.batches} batches; leave out {AT.strip()} {batches}",
    )
    return replace(variant, title=f"{variant.title}, {batches} batches", batches=batches)


def trained_on(name: str, variant: Variant, target: str) -> Variant:
    """``variant`` trained on a stated kind of target, and scored on the kind of the settings.

    Raises:
        ValueError: There is no such kind of target, or the variant trains on another.
    """
    kinds = dict.fromkeys(get_args(TargetName))
    order = f"; write {AT.strip()} before {TO.strip()}" if AT in target else ""
    unknown_kind = unknown("kind of target", target, kinds)
    require(target in kinds, f"variant {name!r}: {unknown_kind}{order}")
    require(
        variant.target in (None, target),
        f"variant {name!r} trains on {variant.target}; leave out {TO.strip()} {target}",
    )
    title = f"{variant.title}, trained on {target}"
    return replace(variant, title=title, target=cast(TargetName, target))
