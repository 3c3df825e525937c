"""What a name, a role's place and a password must be like."""

import re
from pathlib import Path

import pytest

from kentongan.settings import load, plan, secrets_of
from people import rules
from people.rights import Role
from people.rules import Invalid
from telephony.asterisk import render_own


@pytest.mark.parametrize("name", ["op01", "sri", "a", "damkar-1", "sri.rahayu", "x" * 32])
def test_a_name_of_small_letters_digits_dots_and_dashes_will_do(name: str) -> None:
    rules.check_name(name)


@pytest.mark.parametrize("name", [
    "", "1op", "-op", "Sri", "sri rahayu", "sri\n", "sri\0", "söri", "../etc", "x" * 33, "root@host", "op01;",
    "host", "kentongan", "kentongan-trunk", "global", "system",
    "trunk", "anonymous"])
def test_another_name_or_one_of_the_services_own_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as told:
        rules.check_name(name)
    assert told.value.field == "name"


def test_nobody_is_called_like_a_section_in_which_asterisk_looks_for_phones(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    etc = render_own(plan(settings, secrets_of(settings, [])), tmp_path, tmp_path).parent
    files = [*etc.glob("pjsip.conf"), *etc.glob("kentongan/*pjsip.conf")]
    sections = {name for file in files for name in re.findall(r"(?m)^\[([^]]+)\]", file.read_text())}
    assert {"trunk", "global", "kentongan-operator"} <= sections
    for name in sections:
        with pytest.raises(Invalid):
            rules.check_name(name)


@pytest.mark.parametrize("said", ["Sri Rahayu", "عائشة", "Ni Luh " + "x" * 190])
def test_a_display_name_is_any_line(said: str) -> None:
    rules.check_display_name(said)


@pytest.mark.parametrize("said", ["", "  ", "a\nb", "a\u2028b", "a\0", "\x1b[2J", "\ud800", "x" * 201])
def test_what_cannot_be_shown_as_a_line_is_refused(said: str) -> None:
    with pytest.raises(Invalid):
        rules.check_display_name(said)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("agency", [None, "damkar"])
def test_an_agency_belongs_to_the_role_agency_and_to_no_other(role: Role, agency: str | None) -> None:
    if (role is Role.AGENCY) is (agency is not None):
        rules.check_place(role, agency, skills_given=False)
    else:
        with pytest.raises(Invalid) as told:
            rules.check_place(role, agency, skills_given=False)
        assert told.value.field == "agency"


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.OPERATOR, Role.AGENCY)])
def test_only_operators_have_skills(role: Role) -> None:
    rules.check_place(Role.OPERATOR, None, skills_given=True)
    with pytest.raises(Invalid, match="skills"):
        rules.check_place(role, None, skills_given=True)


@pytest.mark.parametrize(("days", "fine"), [(None, True), (1, True), (3650, True), (0, False), (-1, False),
                                            (3651, False)])
def test_a_token_lasts_a_day_to_ten_years_or_until_it_is_revoked(days: int | None, fine: bool) -> None:
    if fine:
        rules.check_lifetime(days)
    else:
        with pytest.raises(Invalid):
            rules.check_lifetime(days)


@pytest.mark.parametrize("password", [
    "kuda biru makan awan", "tR7-pz04.Qw9", "kata sandi saya panjang", "пароль из многих слов", "x1y2z3" * 2,
    "sri suka durian matang"])
def test_a_long_password_of_any_letters_will_do(password: str) -> None:
    rules.check_password(password, "sri")


@pytest.mark.parametrize("password", [
    "", "elevenchars", "a" * 12, "abababababababab", "kentongan112112", "password123456789", "sri.rahayusri.rahayu",
    "SRI.RAHAYU1234", "kentongankentongan", "x" * 201, "tab\tin the middle of it", "nul\0in the middle of it",
    "half a letter \ud800 in it"])
def test_a_short_or_likely_password_is_refused_without_being_repeated(password: str) -> None:
    with pytest.raises(Invalid) as told:
        rules.check_password(password, "sri.rahayu")
    assert told.value.field == "password"
    assert not password or password not in str(told.value)
