"""Tokens: their form, and that what we keep is not what was shown."""

from people.tokens import CHANCE, hash_of, token_of


def test_a_token_is_known_by_its_beginning_and_holds_160_bits() -> None:
    token = token_of(bytes(range(CHANCE)))
    assert token == "kt_aaaqeayeaudaocajbifqydiob4ibceqt"
    assert len(token) == 3 + 32


def test_the_same_token_has_the_same_hash_and_another_has_another() -> None:
    one, other = token_of(b"\0" * CHANCE), token_of(b"\0" * (CHANCE - 1) + b"\1")
    assert hash_of(one) == hash_of(one) != hash_of(other)
    assert one not in hash_of(one)


def test_whatever_is_shown_has_a_hash() -> None:
    assert len(hash_of("")) == len(hash_of("kentongan \N{FIRE} \ud800")) == 64
