"""people ◆ What a user's name, role and password must be like. Pure: each `check_…` returns or raises Invalid.

Passwords by NIST SP 800-63B (rev. 4): long, any letters, nothing that is tried first; no rules about kinds of letters,
no date on which they end.
"""

import re
import unicodedata

from people.rights import Role

#: also a SIP user and a section of Asterisk's configuration
NAME = r"[a-z][a-z0-9.-]{0,31}"
LONGEST_LINE = 200
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
#: fewer different letters are no secret, however long
_FEWEST_LETTERS = 6
#: who is not a person in the audit ("host", "kentongan"); sections of Asterisk's own; whom it takes for everybody
_TAKEN = frozenset({"host", "trunk", "global", "system", "anonymous"})
_OURS = "kentongan"
_TRIED_FIRST = ("kentongan", "password", "katasandi", "rahasia", "banyuwangi", "indonesia", "qwertyuiop", "letmein",
                "operator", "administrator", "supervisor", "112112", "123456789", "987654321", "abcdefgh")


class Invalid(ValueError):
    """What was given cannot be used; the text says why and what would do. Nothing has changed."""

    def __init__(self, field: str, text: str) -> None:
        """`field`: the one to be mended."""
        super().__init__(text)
        self.field = field


def check_name(name: str) -> None:
    """Whether somebody new may have it."""
    if re.fullmatch(NAME, name) is None:
        raise Invalid("name", "a user's name is 1 to 32 small letters, digits, dots and dashes, the first a letter")
    if name in _TAKEN or name.startswith(_OURS):
        raise Invalid("name", f"the name {name} is the service's own; choose another")


def check_display_name(said: str) -> None:
    """Whether it is a line that can be shown."""
    if not said.strip() or len(said) > LONGEST_LINE or _unprintable(said):
        raise Invalid("display_name", f"a display name is one line of 1 to {LONGEST_LINE} letters")


def check_place(role: Role, agency: str | None, *, skills_given: bool) -> None:
    """Whether agency and skills fit the role."""
    if role is Role.AGENCY and agency is None:
        raise Invalid("agency", "somebody with the role agency belongs to one: give its code")
    if role is not Role.AGENCY and agency is not None:
        raise Invalid("agency", f"only the role agency belongs to an agency, not the role {role}")
    if role is not Role.OPERATOR and skills_given:
        raise Invalid("skills", f"only the role operator has skills, not the role {role}")


def check_lifetime(days: int | None) -> None:
    """Whether a token may last so long."""
    if days is not None and not 1 <= days <= 3650:
        raise Invalid("expires_days", "a token lasts 1 to 3650 days, or (without a number) until it is revoked")


def check_password(password: str, name: str) -> None:
    """Whether it is a password that is hard to guess for whoever knows the name."""
    if _unprintable(password):
        raise Invalid("password", "a password holds no control characters")
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid("password", f"a password has {SHORTEST_PASSWORD} letters or more; a few words will do")
    if len(password) > LONGEST_PASSWORD:
        raise Invalid("password", f"a password has at most {LONGEST_PASSWORD} letters")
    left = password.casefold()
    for word in sorted((*_TRIED_FIRST, name), key=len, reverse=True):
        left = left.replace(word, "")
    if len(set(left)) < _FEWEST_LETTERS:
        raise Invalid("password", "this password is among the first that somebody would try: it is little more than "
                                  "the name, a common word or a few letters repeated; a few words without relation do")


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)
