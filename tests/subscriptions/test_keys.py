"""The form of gateway keys. What strangers send in the place of one is T9's: test_t09_hostile_tokens.py for our own
tokens, the tests of each gateway for keys."""

from __future__ import annotations

import pytest

from audit.sealing import checksum
from subscriptions import keys


@pytest.mark.parametrize("letter", ["p", "s", "o"])
def test_a_key_is_68_letters_and_digits_and_carries_its_environment_id_and_checksum(letter):
    made = keys.make_key(letter)
    assert len(made.value) == 68
    assert made.value.isascii()
    assert made.value.isalnum()
    assert made.value.startswith(f"gh{letter}{made.key_id}")
    assert made.value.endswith(checksum(made.value[:-6]))


def test_keys_do_not_repeat():
    assert len({keys.make_key("p").value for _number in range(2_000)}) == 2_000
