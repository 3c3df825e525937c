"""What the pages say, and that they fetch nothing."""

import base64
import dataclasses
import hashlib
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from db.models import Category, Ticket
from routing.desk import Desk
from routing.operators import OFFERED, OUT, PAUSED, READY, TALKING, WRAP_UP, State
from tickets.told import About, told
from web import pages, words
from web.pages import Answer

AT = datetime(2026, 11, 22, 10, 5, 9, tzinfo=ZoneInfo("Asia/Jakarta"))
TOLD = told(Ticket(
    number="2611-0042", service="emergency", topic="fire", place="Pasar", narrative="Api", verification="a1",
    answers={}, form={}), About())
REPORT = pages.Report(TOLD, "Damkar", None, None)


def desk(state: State, *, on_shift: bool = True, device: str = "NOT_INUSE") -> Desk:
    return Desk("op01", frozenset(), state, on_shift, device)


@pytest.mark.parametrize(("desks", "answer"), [
    ([], Answer.NOBODY),
    ([desk(READY)], Answer.YES),
    ([desk(READY), desk(TALKING, device="INUSE")], Answer.YES),
    ([desk(READY, on_shift=False)], Answer.NOBODY),
    ([desk(READY, device="UNAVAILABLE")], Answer.NOBODY),
    ([desk(OUT), desk(PAUSED)], Answer.NOBODY),
    ([desk(TALKING, on_shift=False)], Answer.BUSY),
    ([desk(OFFERED)], Answer.BUSY),
    ([desk(WRAP_UP)], Answer.BUSY),
])
def test_is_anybody_answering(desks: list[Desk], answer: Answer) -> None:
    assert pages.status(desks, [], [], claiming=True).answer is answer


def test_when_asterisk_does_not_reach_us_or_we_stop_it_says_so() -> None:
    assert pages.status([desk(READY)], [], ["asterisk"], claiming=True).answer is Answer.CUT
    assert pages.status([desk(READY)], [], [], claiming=False).answer is Answer.CUT
    assert pages.status([desk(READY)], [], ["disk"], claiming=True).answer is Answer.YES


def test_the_figures_count_who_is_on_shift_ready_and_talking() -> None:
    on_shift = [desk(READY), desk(TALKING), desk(PAUSED), desk(OUT)]
    desks = [*on_shift, desk(TALKING, on_shift=False), desk(OUT, on_shift=False)]
    now = pages.status(desks, [4.0, 31.0], [], claiming=True)
    assert (now.on_shift, now.ready, now.talking, now.waiting, now.longest_wait) == (4, 1, 2, 2, 31.0)
    assert list(now.seats) == ["free", "talking", "paused", "away", "talking"]


def test_a_long_wait_is_told_in_minutes_and_in_red() -> None:
    page = pages.status_page(pages.status([], [130.9, 3.0], [], claiming=True), AT, words.ID)
    assert "terlama 2:10" in page
    assert 'class="figure late"' in page
    assert 'class="figure late"' not in pages.status_page(pages.status([], [20], [], claiming=True), AT, words.ID)


def test_a_clock_that_was_set_back_makes_no_negative_wait() -> None:
    assert pages.status([], [-5.0], [], claiming=True).longest_wait == 0.0


@pytest.mark.parametrize("language", [words.ID, words.EN])
def test_both_languages_have_a_word_for_everything(language: words.Words) -> None:
    desks = [desk(state) for state in State]
    page = pages.status_page(pages.status(desks, [], list(language.checks), claiming=True), AT, language)
    assert f'<html lang="{language.code}">' in page
    for word in (*(language.seat[pages.seat(one)] for one in desks), *language.checks.values(), "10.05.09 WIB"):
        assert word in page
    assert language.headline.keys() == language.explained.keys() == set(Answer)
    assert dataclasses.asdict(words.ID).keys() == dataclasses.asdict(words.EN).keys()


def test_an_unknown_check_is_named_and_only_text() -> None:
    now = pages.status([], [], ["<img src=x>"], claiming=True)
    assert "&lt;img src=x&gt;" in pages.status_page(now, AT, words.ID)


@pytest.mark.parametrize("page", [
    pages.status_page(pages.status([desk(READY)], [], ["disk"], claiming=True), AT, words.ID),
    pages.report_page(REPORT),
    pages.report_page(dataclasses.replace(REPORT, accepted_at=AT, accepted_by="Regu"), "Terima kasih"),
    pages.wrong_link_page(),
])
def test_a_page_fetches_nothing_and_its_style_is_the_one_that_is_allowed(page: str) -> None:
    assert re.findall(r'src=|@import|url\(|<script|<link|<img|style=|\bon\w+=|https?:', page) == []
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" == pages.STYLE_HASH


def test_every_text_of_a_report_is_only_text() -> None:
    evil = "<b onclick='x'>\"&"
    asked = [{"key": "x", "name": evil, "value": evil}]
    texts = dict.fromkeys((name for name, value in TOLD.items() if value is None or isinstance(value, str)), evil)
    danger = {"unverified": True, "override": {"by": evil, "why": evil}}
    numbers = {"latitude": -8.25, "longitude": 114.3}
    hostile = pages.Report(TOLD | texts | danger | numbers | {"answers": asked, "form": asked}, evil, AT, evil)
    page = pages.report_page(hostile, evil)
    assert "<b " not in page
    assert page.count("&lt;b onclick=&#x27;x&#x27;&gt;&quot;&amp;") == 19


def test_a_report_that_went_out_without_a1_says_so() -> None:
    assert "BELUM TERVERIFIKASI" not in pages.report_page(REPORT)
    danger = {"unverified": True, "override": {"by": "op01", "why": "Anak di sumur"}}
    page = pages.report_page(dataclasses.replace(REPORT, told=TOLD | danger))
    for said in ("BELUM TERVERIFIKASI (bukan A1)", "op01", "Anak di sumur"):
        assert said in page


def test_an_agency_reads_what_was_asked_and_whom_it_is_about() -> None:
    script = {"questions": [{"key": "trapped", "text": "Ada yang terjebak?", "required": True}]}
    about = About(Category(name="Kebakaran rumah", script=script), "Kecamatan Contoh", "Desa Contoh",
                  {"properties": {"name": {"title": "Nama"}}})
    ticket = Ticket(
        number="2611-0042", service="emergency", topic="fire", category="house-fire", verification="a1",
        latitude=-8.25, longitude=114.3, subject_name="Mbah Contoh", reporter_name="Pelapor",
        reporter_number="0800555001", answers={"trapped": "dua anak", "old": "lama"}, form={"name": "Mbah Contoh"})
    page = pages.report_page(pages.Report(told(ticket, about), "Damkar", None, None))
    for said in ("Kebakaran, Kebakaran rumah", "Desa Contoh, Kecamatan Contoh", "-8.250000, 114.300000", "Mbah Contoh",
                 "<dt>Ada yang terjebak?</dt><dd>dua anak</dd>", "<dt>old</dt><dd>lama</dd>", "<dt>Nama</dt>"):
        assert said in page
    assert "Pelapor" not in page
    assert "0800555001" not in page
