"""The libraries of the native LSTM that this machine has and can run."""

from foldproof.models.native import kernel as native


def builds() -> list[str]:
    """Their instruction sets, the fastest first."""
    found = []
    for name in native.instruction_sets():
        try:
            native.loaded(name)
        except OSError:
            continue
        found.append(name)
    return found


BUILDS = builds()
