"""T9, the form of keys: whatever is sent in the place of a key is refused by its shape alone, without a query."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions import keys

WORDS = st.text(alphabet=string.printable, max_size=200) | st.text(max_size=100)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(text=WORDS)
@example(text="")
@example(text="' OR 1=1 --")
@example(text="gh" + "p" * 66)
@example(text="ghp" + "é" * 65)
@example(text="\x00" * 68)
@example(text="ghp" + "0" * 65 + "\n")
def test_t09_no_text_but_a_key_has_the_form_of_a_key(text):
    assert keys.key_id_of(text) is None


@settings(max_examples=200, derandomize=True, deadline=None)
@given(place=st.integers(0, keys.LENGTH - 1), letter=st.sampled_from(string.ascii_letters + string.digits))
def test_t09_one_wrong_character_is_seen_by_the_checksum(place, letter):
    value = keys.make_key("s").value
    wrong = value[:place] + letter + value[place + 1 :]
    assert (keys.key_id_of(wrong) is None) == (wrong != value)


@pytest.mark.parametrize("cut", [0, 1, 20, 67])
def test_t09_a_cut_or_lengthened_key_is_none(cut):
    value = keys.make_key("p").value
    assert keys.key_id_of(value[:cut]) is None
    assert keys.key_id_of(value + "0") is None
    assert keys.key_id_of(value + "\n") is None


@pytest.mark.parametrize("letter", ["p", "s", "o"])
def test_a_key_is_68_letters_and_digits_and_carries_its_environment_and_id(letter):
    made = keys.make_key(letter)
    assert len(made.value) == keys.LENGTH
    assert made.value.isascii()
    assert made.value.isalnum()
    assert made.value.startswith(f"gh{letter}{made.key_id}")
    assert keys.key_id_of(made.value) == made.key_id


def test_keys_do_not_repeat():
    assert len({keys.make_key("p").value for _number in range(2_000)}) == 2_000
