"""Normalizations of the LSTM: the catalogue, and the types of which a variant consists."""

from foldproof.models.normalizers.catalogue import VARIANTS, resolve
from foldproof.models.normalizers.combined import split_name
from foldproof.models.normalizers.controls import CONTROLS
from foldproof.models.normalizers.grouped import (
    grouped_name,
    variant_names,
    window_variants,
    with_features,
    with_state,
)
from foldproof.models.normalizers.neutral import styles_of
from foldproof.models.normalizers.variant import (
    HiddenNormalizer,
    InputNormalizer,
    Scaled,
    Scoring,
    Variant,
    WindowNormalizer,
    independent,
)

__all__ = [
    "CONTROLS",
    "VARIANTS",
    "HiddenNormalizer",
    "InputNormalizer",
    "Scaled",
    "Scoring",
    "Variant",
    "WindowNormalizer",
    "grouped_name",
    "independent",
    "resolve",
    "split_name",
    "styles_of",
    "variant_names",
    "window_variants",
    "with_features",
    "with_state",
]
