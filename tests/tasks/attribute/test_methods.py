from dataclasses import fields

import pytest

from tasks.attribute import ATTRIBUTIONS


def test_methods_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ATTRIBUTIONS["mine"] = ATTRIBUTIONS["citic"]  # type: ignore[index]


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_every_method_says_what_it_is_and_what_it_misses(name: str) -> None:
    method = ATTRIBUTIONS[name]
    assert all(getattr(method, field.name) for field in fields(method))
