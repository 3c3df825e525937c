"""What keys mean, and what is refused in a menu that an admin wrote."""
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.build import durations
from ivr.menu import TOPICS, Answer, Choice, Menu, MenuError, language_of, match, parse
from ivr.menu_file import SEED

TEXT = SEED.read_text("utf-8")
PROMPTS = {"greeting": 2.3, "menu": 5.6, "wrong_key": 7.0, "campaign": 2.4}
ON = TEXT.replace("on = false", "on = true")
POLICE_LINE = '3 = { topic = "police", priority = 5 }'
ANY, FIRE, POLICE = Choice("any", 5), Choice("fire", 5), Choice("police", 5)


def menu_of(choices: dict[str, str]) -> Menu:
    lines = "".join(f'"{key}" = {{ topic = "{topic}", priority = 5 }}\n' for key, topic in choices.items())
    text = re.sub(r"(?m)^\d = .*\n", "", TEXT).replace("[choices]\n", f"[choices]\n{lines}")
    return parse(text.replace('key = "5"', 'key = "####"'), "menu.toml", PROMPTS)


def refused(text: str, prompts: dict[str, float] | None = None) -> str:
    with pytest.raises(MenuError) as fault:
        parse(text, "menu.toml", PROMPTS if prompts is None else prompts)
    return str(fault.value)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(("digits", "meaning"), [
    ("", Answer.INCOMPLETE),
    ("1", FIRE), ("2", Choice("medical", 5)), ("3", POLICE), ("4", Choice("disaster", 5)), ("0", ANY),
    ("5", Answer.INVALID),                                      # the campaign is off
    ("9", Answer.INVALID), ("*", Answer.INVALID), ("#", Answer.INVALID), ("A", Answer.INVALID),
    ("11", Answer.INVALID), ("x" * 500, Answer.INVALID),
])
def test_the_shipped_menu_means_what_it_says(digits: str, meaning: Choice | Answer) -> None:
    assert match(parse(TEXT, "menu.toml", PROMPTS), digits) == meaning


@pytest.mark.parametrize(("digits", "now", "finished"), [
    ("1", Answer.INCOMPLETE, FIRE),                             # it may yet become 12
    ("12", POLICE, POLICE),
    ("13", Answer.INVALID, Answer.INVALID),
    ("3", Answer.INCOMPLETE, Answer.INVALID),                   # the beginning of 345 and nothing itself
    ("34", Answer.INCOMPLETE, Answer.INVALID),
    ("345", ANY, ANY),
    ("", Answer.INCOMPLETE, Answer.INVALID),
])
def test_a_key_that_begins_like_another_waits_for_its_end(
    digits: str, now: Choice | Answer, finished: Choice | Answer
) -> None:
    menu = menu_of({"1": "fire", "12": "police", "345": "any"})
    assert match(menu, digits) == now
    assert match(menu, digits, finished=True) == finished


KEYS = st.text("0123456789*#", min_size=1, max_size=3)


@given(choices=st.dictionaries(KEYS, st.sampled_from(sorted(TOPICS)), min_size=1, max_size=8),
       digits=st.text("0123456789*#ABCD", max_size=5))
def test_digits_have_one_meaning_and_waiting_always_ends(choices: dict[str, str], digits: str) -> None:
    menu = menu_of(choices)
    now, finished = match(menu, digits), match(menu, digits, finished=True)
    assert finished is not Answer.INCOMPLETE
    assert (finished is Answer.INVALID) == (digits not in choices)
    if now is Answer.INCOMPLETE:
        assert any(key.startswith(digits) and key != digits for key in choices)
    else:
        assert now == finished
        assert not any(key.startswith(digits) and key != digits for key in choices)


@given(choices=st.dictionaries(KEYS, st.sampled_from(sorted(TOPICS)), min_size=1, max_size=8))
def test_every_choice_can_be_reached_by_its_key(choices: dict[str, str]) -> None:
    menu = menu_of(choices)
    for key, topic in choices.items():
        assert match(menu, key, finished=True) == Choice(topic, 5)
        assert all(match(menu, key[:n]) is Answer.INCOMPLETE for n in range(len(key)))


def test_the_shipped_menu_is_read_as_it_stands() -> None:
    menu = parse(TEXT, "menu.toml", PROMPTS)
    assert language_of(TEXT, "menu.toml") == menu.language == "id"
    assert menu.prompts() == ["greeting", "menu"]
    assert (menu.wrong_key, menu.tries, menu.first_digit, menu.between_digits) == ("wrong_key", 2, 3.0, 1.5)
    assert {key: choice.topic for key, choice in menu.choices.items()} == {
        "1": "fire", "2": "medical", "3": "police", "4": "disaster", "0": "any"}


def test_a_campaign_that_is_on_is_heard_and_can_be_chosen() -> None:
    menu = parse(ON, "menu.toml", PROMPTS)
    assert menu.prompts() == ["greeting", "menu", "campaign"]
    assert match(menu, "5") == Choice("information", 1)


def test_a_campaign_that_is_off_needs_no_prompt_yet() -> None:
    prompts = {name: length for name, length in PROMPTS.items() if name != "campaign"}
    parse(TEXT, "menu.toml", prompts)
    assert "there is no prompt 'campaign'; there are: greeting, menu, wrong_key" in refused(ON, prompts)


@pytest.mark.parametrize(("old", "new", "reason"), [
    ('greeting = "greeting"', 'greeting = "halo"', "there is no prompt 'halo'; there are: campaign"),
    ('greeting = "greeting"', 'greeting = "../x"', "'../x' cannot be the name of a prompt"),
    ('wrong_key = "wrong_key"', "wrong_key = 7", "wrong_key must be a text in quotes"),
    ('language = "id"', 'lang = "id"', "lang is not known here; known are: language, greeting"),
    ("tries = 2", "tries = 0", "tries must be a whole number from 1 to 3"),
    ("tries = 2", "tries = true", "tries must be a whole number from 1 to 3"),
    ("first_digit = 3.0", "first_digit = 0.4", "first_digit must be a number of seconds from 0.5 to 10"),
    ("between_digits = 1.5", "between_digits = 10.1", "between_digits must be a number of seconds"),
    ("between_digits = 1.5", "between_digits = nan", "between_digits must be a number of seconds"),
    ('3 = { topic = "police"', '3 = { topic = "polisi"', "topic 'polisi' is not known; known are: any, dis"),
    (POLICE_LINE, "3 = 5", "3 must be [3] and lines below it, or 3 = { … }"),
    (POLICE_LINE, '3 = { topic = "police" }', "priority is missing"),
    (POLICE_LINE, '3 = { topic = "police", priority = 10 }', "priority must be a whole number from 0 to 9"),
    (POLICE_LINE, '3 = { topic = "police", prio = 5 }', "prio is not known here"),
    ("3 = { ", "3a = { ", "'3a' cannot be pressed: a key is 1 to 4 of 0-9 * #"),
    ("3 = { ", "33333 = { ", "'33333' cannot be pressed"),
    ("3 = { ", "5 = { ", "key 5 is the campaign's too"),
    ('key = "5"', 'key = "x"', "'x' cannot be pressed"),
    ('topic = "information"', 'topic = "covid"', "topic 'covid' is not known"),
    ("on = false", 'on = "no"', "on must be true or false, without quotes"),
])
def test_what_is_wrong_is_refused_with_line_and_reason(old: str, new: str, reason: str) -> None:
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    assert (said := refused(text)).startswith(f"menu.toml, line {line_of(text, new)}: ")
    assert reason in said


def test_broken_toml_is_refused_with_its_line() -> None:
    text = TEXT.replace("tries = 2", "tries = two")
    assert refused(text).startswith(f"menu.toml, line {line_of(text, 'tries = two')}: this cannot be read: ")
    assert f"line {len(TEXT.splitlines())}: this cannot be read" in refused(TEXT.rstrip() + " [")


def test_missing_parts_are_refused() -> None:
    assert "language is missing" in refused(TEXT.replace('language = "id"', ""))
    without_choices = TEXT[:TEXT.index("[choices]")] + TEXT[TEXT.index("[campaign]"):]
    assert "line 1: choices is missing" in refused(without_choices)
    with pytest.raises(MenuError, match="language is missing"):
        language_of("", "menu.toml")


def test_a_menu_without_choices_is_refused() -> None:
    text = re.sub(r"(?m)^\d = .*\n", "", TEXT)
    assert (said := refused(text)).startswith(f"menu.toml, line {line_of(text, '[choices]')}: ")
    assert "there is no choice" in said


def test_a_menu_that_takes_longer_than_eight_seconds_is_refused() -> None:
    said = refused(TEXT, PROMPTS | {"greeting": 2.5})
    assert "greeting and menu last 8.1 seconds together, 8 are allowed" in said
    assert parse(TEXT, "menu.toml", PROMPTS | {"greeting": 2.4}).greeting == "greeting"


def test_a_campaign_that_talks_too_long_is_refused_when_it_is_on() -> None:
    slow = PROMPTS | {"campaign": 3.1}
    assert "the campaign's prompt lasts 3.1 seconds, 3 are allowed" in refused(ON, slow)
    parse(TEXT, "menu.toml", slow)


def test_a_language_whose_prompts_are_not_built_is_refused_plainly() -> None:
    assert "there are: none, they are not built yet" in refused(TEXT, {})


def test_lines_are_found_in_every_way_to_write_a_section() -> None:
    choices = TEXT.index("[choices]")
    head, campaign = TEXT[:choices], TEXT[TEXT.index("[campaign]"):]
    sections = f'{head}[choices.1]\ntopic = "fire"\npriority = 99\n{campaign}'
    assert f"line {line_of(sections, 'priority = 99')}: " in refused(sections)
    dotted = f'{head}choices.1.topic = "fire"\nchoices.1.priority = 99\n{campaign}'
    assert f"line {line_of(dotted, 'priority = 99')}: " in refused(dotted)
    quoted = f'{head}[choices]\n"*" = {{ topic = "fire", priority = 99 }}\n{campaign}'
    assert f"line {line_of(quoted, 'priority = 99')}: " in refused(quoted)


@given(text=st.text(max_size=200))
def test_any_text_is_either_a_menu_or_refused_with_a_line(text: str) -> None:
    with pytest.raises(MenuError, match=r"^menu\.toml, line \d+: "):
        parse(text, "menu.toml", PROMPTS)


@given(cut=st.integers(0, len(TEXT)))
def test_a_half_saved_file_is_refused_or_already_whole(cut: int) -> None:
    with suppress(MenuError):
        assert parse(TEXT[:cut], "menu.toml", PROMPTS) == parse(TEXT, "menu.toml", PROMPTS)


def test_the_menu_as_shipped_fits_the_prompts_as_built(prompts: Path) -> None:
    for language in ("id", "en"):
        for text in (TEXT, ON):
            menu = parse(text.replace('language = "id"', f'language = "{language}"'), "menu.toml",
                         durations(prompts, language))
            assert menu.language == language
