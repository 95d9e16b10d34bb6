"""Which variant the gain of each variant is measured against."""

from collections.abc import Sequence

from foldproof.models.normalizers import resolve, split_name
from foldproof.tasks.train import PREFIX


def bases_of(names: Sequence[str], reference: str) -> dict[str, str]:
    """By variant, the one that its gain is over.

    That is the reference; for a variant that trains on batches of its own, the reference trained
    on the same batches, if it is among ``names``. ``batch_norm_date`` trains on date blocks, so it
    differs from ``zscore`` in two respects, and from ``zscore @ date_block`` in its normalization
    only.

    Args:
        names: Variants and reference forecasters.
        reference: The variant that gains are measured against.
    """
    partners = {batches_of(name): name for name in names if is_partner(name, reference)}
    if not partners:
        return dict.fromkeys(names, reference)
    own = {name: partners.get(batches_of(name), reference) for name in names}
    return {name: reference if base == name else base for name, base in own.items()}


def is_partner(name: str, reference: str) -> bool:
    """Whether ``name`` is the reference on other, stated batches."""
    own, other = split_name(name), split_name(reference)
    alike = own._replace(batches="") == other._replace(batches="")
    return alike and own.batches not in ("", other.batches)


def batches_of(name: str) -> str | None:
    """The batches that a variant needs; None for any, and for a name that is not a variant."""
    if name.startswith(PREFIX):
        return None
    try:
        return resolve(name).batches
    except ValueError:  # forecasts from elsewhere have names of their own
        return None
