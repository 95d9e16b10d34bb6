"""What is left of features without style columns, by a regression across the date's members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from foldproof.models.date_rows import Rows
from foldproof.models.normalizers.scaling import ByDate, root
from foldproof.models.normalizers.variant import Scaled, Variant
from foldproof.models.spec import STYLES, nearest, require

ON = " ~ "
"""Joins the name of a variant and the style columns that it is neutral to."""
COLUMNS = "columns"
"""Key of the state with the numbers of the style columns."""
COLLINEAR = 1e-5
"""A style of which the earlier ones leave less than this share is left out of the regression."""
EXPLAINED = 1e-6
"""A residual below this share of the feature's spread is rounding: features are float32."""
LEAST_FREE = 3
"""Degrees of freedom that a date must have left; with fewer its residuals are 0."""


@dataclass(frozen=True)
class NeutralZScore(ByDate):
    """e / sd(e), e the residual of each feature on style columns across the date's members.

    A least-squares regression with intercept for each date and feature, on the members that have
    the feature. A member without an exposure has the mean of the date, as in risk models (Barra).
    The styles are made orthogonal one after the other; one that the earlier ones explain is left
    out, so collinear styles do no harm. Cells of non-members use the members' coefficients.

    Residuals are 0 where the styles explain a feature in full, as they do the styles themselves,
    and on dates with fewer than three degrees of freedom. Only cells of the date are read.

    Attributes:
        styles: Names of the style columns; empty for those of ``STYLES`` that the panel has.
        columns: Their numbers; empty until the names of the features are known, see
            :meth:`named`. The state keeps them.
    """

    styles: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()

    def named(self, features: Sequence[str]) -> "NeutralZScore":
        """The same with its styles found among the names ``features``.

        Raises:
            ValueError: A style is not a feature, none is, or all features are styles.
        """
        for name in self.styles:
            require(
                name in features,
                f"the style {name!r} of neutral_zscore is not a feature of the panel"
                f"{nearest(name, features) or '; features are ' + ', '.join(features)}",
            )
        styles = self.styles or tuple(name for name in STYLES if name in features)
        require(
            bool(styles),
            f"neutral_zscore needs style columns; the panel has none of {', '.join(STYLES)}: name "
            f"features of the panel, as in neutral_zscore{ON}{features[0]}",
        )
        require(
            len(styles) < len(features),
            "neutral_zscore leaves nothing to learn from: all features of the panel are styles; "
            f"name fewer, as in neutral_zscore{ON}{styles[0]}",
        )
        return replace(self, columns=tuple(list(features).index(name) for name in styles))

    def with_state(self, state: Mapping[str, object]) -> "NeutralZScore":
        """The same with the style columns of its ``state``."""
        return replace(self, columns=tuple(torch.as_tensor(state[COLUMNS]).tolist()))

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """The numbers of the style columns; nothing is fitted.

        Raises:
            ValueError: The names of the features are not known.
        """
        require(bool(self.columns), "neutral_zscore needs the names of the panel's features")
        return {COLUMNS: torch.tensor(self.columns)}

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize (D, S, F); the slope is (D, 1, F). A date without members becomes NaN.

        The slope keeps the coefficients fixed: it is the derivative by the feature itself, not by
        the styles.
        """
        finite = values.isfinite()
        counted = member.unsqueeze(-1) & finite
        filled = torch.where(finite, values, 0.0).double()
        count = counted.sum(dim=1, keepdim=True)
        left = centred(filled, counted)
        size = length(left, counted)
        basis: list[Tensor] = []
        rank = torch.zeros_like(count)
        for style in state[COLUMNS].tolist():
            known = finite[..., style : style + 1].expand_as(finite)
            exposure = centred(filled[..., style : style + 1].expand_as(filled), counted & known)
            exposure = torch.where(known, exposure, 0.0)
            own = length(exposure, counted)
            exposure = without(without(exposure, basis, counted), basis, counted)
            new = length(exposure, counted)
            used = new > COLLINEAR * own
            basis.append(torch.where(used, exposure / torch.where(used, new, 1.0), 0.0))
            rank = rank + used
        left = without(without(left, basis, counted), basis, counted)
        spread = length(left, counted) / count.clamp_min(1).sqrt()
        free = (count - 1 - rank >= LEAST_FREE) & (
            spread * count.clamp_min(1).sqrt() > EXPLAINED * size
        )
        slope = torch.where(free, 1 / torch.where(free, spread, 1.0), 0.0)
        known = finite & (count > 0)
        result = torch.where(known, left * slope, torch.nan)
        return Scaled(result.to(values.dtype), slope.to(values.dtype))


def centred(values: Tensor, counted: Tensor) -> Tensor:
    """``values`` (D, S, F) less the mean of the counted cells of their date."""
    count = counted.sum(dim=1, keepdim=True).clamp_min(1)
    return values - torch.where(counted, values, 0.0).sum(dim=1, keepdim=True) / count


def length(values: Tensor, counted: Tensor) -> Tensor:
    """(D, 1, F) Euclidean length of the counted cells of each date."""
    return root(torch.where(counted, values, 0.0).square().sum(dim=1, keepdim=True))


def without(values: Tensor, basis: list[Tensor], counted: Tensor) -> Tensor:
    """``values`` less their projections on the orthonormal ``basis``, both (D, S, F)."""
    for unit in basis:
        share = torch.where(counted, unit * values, 0.0).sum(dim=1, keepdim=True)
        values = values - unit * share
    return values


def styles_of(variant: Variant) -> tuple[str, ...]:
    """The names of style columns that ``variant`` reads, the default ones if none are named."""
    normalizer = variant.input
    return (normalizer.styles or STYLES) if isinstance(normalizer, NeutralZScore) else ()


def neutral_to(name: str, variant: Variant) -> Variant:
    """``variant`` neutral to the style columns after ``~`` in ``name``.

    Raises:
        ValueError: It does not regress on styles, or there is no column after ``~``.
    """
    front, _, columns = name.partition(ON)
    styles = tuple(dict.fromkeys(columns.split()))
    require(bool(styles), f"variant {name!r} names no style column after {ON.strip()}")
    require(
        isinstance(variant.input, NeutralZScore),
        f"variant {name!r}: {front} is not neutral to columns, so {ON.strip()} says nothing; write "
        f"neutral_zscore{ON}{columns}",
    )
    words = ", ".join(styles)
    return replace(
        variant,
        title=f"{variant.title} on {words}",
        formula=variant.formula.replace("the styles", words),
        input=NeutralZScore(styles),
    )
