from pathlib import Path

from tests.bad_inputs import rows, table


def test_the_table_says_what_is_really_said() -> None:
    """After a change of messages: python -m tests.bad_inputs > tests/bad_inputs.md."""
    assert Path(__file__).with_name("bad_inputs.md").read_text(encoding="utf-8") == table()


def test_it_is_long_enough_and_nobody_is_left_alone() -> None:
    said = list(rows())
    assert len(said) >= 60
    assert all(len(message) > 15 for _, _, message in said)
    assert not any("Traceback" in message for _, _, message in said)
