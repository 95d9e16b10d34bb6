"""A normalization for each group of features: ``price_relative(close) & cs_rank(*)``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

import torch
from torch import Tensor, nn

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers.chained import state_below
from foldproof.models.normalizers.combined import COUPLINGS, claims
from foldproof.models.normalizers.neutral import ON, NeutralZScore
from foldproof.models.normalizers.variant import (
    Axis,
    InputNormalizer,
    Scaled,
    Variant,
    WindowNormalizer,
    independent,
)
from foldproof.models.spec import nearest, require

AND = " & "
GROUP = re.compile(r"(?P<variant>[^\s()&]+)\((?P<columns>[^()&]+)\)")
"""A group as users write it: a variant, and its features between parentheses."""
COLUMNS = "columns"
"""Key of the state with the number of the group of each feature."""
EXAMPLE = "price_relative(close) & cs_rank(*)"


def is_grouped(name: str) -> bool:
    """Whether the name of a variant states groups of features."""
    return AND in name or "(" in name


def split_groups(name: str) -> list[tuple[str, str]]:
    """The variant and the features of each group, as written.

    Raises:
        ValueError: A group is not written as a variant with features between parentheses.
    """
    found = [GROUP.fullmatch(part.strip()) for part in name.split(AND)]
    groups = [(one["variant"], one["columns"]) for one in found if one is not None]
    require(
        len(groups) == len(found),
        f"variant {name!r} must state a normalization and its features for each group, joined by "
        f"&, such as {EXAMPLE}; * stands for all features that are left",
    )
    return groups


def variant_names(part: str) -> list[str]:
    """The variants in a part of a name: those of its groups, or itself without its styles."""
    own = part.partition(ON)[0]
    return [one for one, _ in split_groups(own)] if is_grouped(own) else [own]


def grouped_name(groups: Mapping[str, str]) -> str:
    """The name of a variant from its groups as a mapping of features to variants."""
    return AND.join(f"{variant}({columns})" for columns, variant in groups.items())


def assigned(name: str, patterns: Sequence[str], features: Sequence[str]) -> tuple[int, ...]:
    """The number of the group of each feature: the first group with a pattern that it matches.

    Args:
        name: The variant, for messages.
        patterns: Names or shell patterns of each group, separated by spaces.
        features: F names.

    Raises:
        ValueError: A feature is in no group, or a pattern has no feature of its own.
    """
    used, numbers = set(), []
    for feature in features:
        places = [
            (number, one)
            for number, columns in enumerate(patterns)
            for one in columns.split()
            if fnmatchcase(feature, one)
        ]
        require(
            bool(places),
            f"variant {name!r} leaves out the feature {feature!r}; name it in a group, or add a "
            "last group with * for all that are left",
        )
        used.add(places[0])
        numbers.append(places[0][0])
    for number, columns in enumerate(patterns):
        for one in columns.split():
            require(
                (number, one) in used,
                f"variant {name!r}: {one!r} is not a feature that an earlier group leaves"
                f"{nearest(one, features) or '; features are ' + ', '.join(features)}",
            )
    return tuple(numbers)


@dataclass(frozen=True)
class Grouped:
    """Each group of features through the input normalizer of its own.

    Attributes:
        name: The variant as written, for messages.
        parts: The normalizers of the groups; None leaves the features as they are.
        columns: The number of the group of each feature; empty until the names of the features are
            known, see :func:`with_features`. The state keeps it.
    """

    name: str
    parts: tuple[InputNormalizer | None, ...]
    columns: tuple[int, ...] = ()

    @property
    def independent(self) -> Axis | None:
        """The axis that all groups share, if they do."""
        axes = {independent(part) for part in self.parts if part is not None}
        return axes.pop() if len(axes) == 1 else None if axes else "dates"

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """The state of every group on its own features, and the groups of all features.

        Raises:
            ValueError: The names of the features are not known, or a feature cannot be fitted.
        """
        require(bool(self.columns), "groups of features need the names of the panel's features")
        columns = torch.tensor(self.columns)
        state = {COLUMNS: columns}
        for number, part in enumerate(self.parts):
            if part is not None:
                found = part.fit(values[..., columns == number], member, rows)
                state |= {f"{number}.{name}": value for name, value in found.items()}
        return state

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F), each group by its state; so is the slope."""
        columns, results, slopes = state[COLUMNS], [], []
        for number, part in enumerate(self.parts):
            own = values[..., columns == number]
            found = Scaled(own, values.new_ones(1))
            if part is not None:
                found = part.apply(own, member, state_below(f"{number}.", state))
            results.append(found.values)
            slopes.append(found.slope.expand(*found.slope.shape[:-1], own.shape[-1]))
        leading = torch.broadcast_shapes(*(slope.shape[:-1] for slope in slopes))
        wide = [slope.expand(*leading, slope.shape[-1]) for slope in slopes]
        back = columns.argsort(stable=True).argsort()
        return Scaled(torch.cat(results, -1)[..., back], torch.cat(wide, -1)[..., back])


class GroupedWindow(WindowNormalizer):
    """The window normalizers of groups of features, each on its own features."""

    def __init__(
        self, n_features: int, variants: tuple[Variant, ...], columns: tuple[int, ...]
    ) -> None:
        super().__init__()
        require(
            len(columns) == n_features,
            "windows of groups of features need the names of the panel's features",
        )
        self.columns = columns
        counts = [columns.count(number) for number in range(len(variants))]
        self.parts = nn.ModuleList(
            nn.Identity() if one.window is None else one.window(count)
            for one, count in zip(variants, counts, strict=True)
        )

    def set_length(self, length: int) -> None:
        """Of each group."""
        for part in self.parts:
            if isinstance(part, WindowNormalizer):
                part.set_length(length)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> (B, T, F), empty context."""
        columns, results = torch.tensor(self.columns, device=x.device), []
        for number, part in enumerate(self.parts):
            found = part(x[..., columns == number])
            results.append(found[0] if isinstance(part, WindowNormalizer) else found)
        return torch.cat(results, -1)[..., columns.argsort(stable=True).argsort()], ()


def grouped(name: str, groups: Sequence[tuple[str, str]], variants: Sequence[Variant]) -> Variant:
    """One variant of several, each on the features of its group.

    Args:
        name: As written.
        groups: The name of the variant and the features of each group.
        variants: The variants of the groups.

    Raises:
        ValueError: A variant normalizes more than its features: the hidden state, the cell, batches
            or the forecast.
    """
    for (part, _), one in zip(groups, variants, strict=True):
        undone = one.window is not None and (
            type(one.window(1)).inverse is not WindowNormalizer.inverse
        )
        require(
            not (one.hidden or one.cell or one.batches or one.target or undone),
            f"variant {name!r}: {part} normalizes more than the features of a group (the hidden "
            "state, the LSTM's cell, batches, the target or the forecast); join it to all groups "
            f"with +, such as {EXAMPLE} + layer_norm",
        )
        require(
            not isinstance(one.input, NeutralZScore),
            f"variant {name!r}: {part} reads style columns, which may be in another group; use it "
            "for all features",
        )
    patterns = tuple(columns for _, columns in groups)
    pairs = list(zip(patterns, variants, strict=True))
    return Variant(
        title=AND.join(f"{one.title} of {columns}" for columns, one in pairs),
        formula="; ".join(f"{columns}: {one.formula}" for columns, one in pairs),
        input=Grouped(name, tuple(one.input for one in variants)),
        window=partial(GroupedWindow, variants=tuple(variants), columns=())
        if any(one.window for one in variants)
        else None,
        coupling=max((one.coupling for one in variants), key=COUPLINGS.index),
        training_coupling=max((one.training_coupling for one in variants), key=COUPLINGS.index),
        statistics="; ".join(f"{columns}: {one.statistics}" for columns, one in pairs),
        unbounded=any(one.unbounded for one in variants),
        groups=patterns,
        **claims(variants),
    )


def with_features(variant: Variant, features: Sequence[str]) -> Variant:
    """``variant`` with its groups of features or styles found among the names ``features``.

    Raises:
        ValueError: A feature is in no group, or a group or style has a name that is not a feature.
    """
    if not variant.groups:
        named = getattr(variant.input, "named", None)
        return replace(variant, input=named(features)) if named else variant
    assert isinstance(variant.input, Grouped)  # as grouped made it
    return _with_columns(variant, assigned(variant.input.name, variant.groups, features))


def with_state(variant: Variant, state: Mapping[str, object]) -> Variant:
    """``variant`` with its groups or styles as the state of its input normalizer has them."""
    if not variant.groups:
        known = getattr(variant.input, "with_state", None)
        return replace(variant, input=known(state)) if known else variant
    columns = torch.as_tensor(state[COLUMNS])
    return _with_columns(variant, tuple(columns.tolist()))


def window_variants(variant: Variant) -> list[Variant]:
    """The variants of the groups whose windows ``variant`` normalizes apart, or itself."""
    window = variant.window
    if isinstance(window, partial) and window.func is GroupedWindow:
        return list(window.keywords["variants"])
    return [variant]


def _with_columns(variant: Variant, columns: tuple[int, ...]) -> Variant:
    assert isinstance(variant.input, Grouped)  # as grouped made it
    window = variant.window
    if isinstance(window, partial) and window.func is GroupedWindow:
        window = partial(window, columns=columns)
    return replace(variant, input=replace(variant.input, columns=columns), window=window)
