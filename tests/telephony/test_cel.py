"""Asterisk's own book of calls: what its rows tell of a call, as Asterisk 22.10.1 wrote them."""
from itertools import count

import pytest

from telephony.cel import OPERATORS, TRUNK, WAY_OUT, Row, Talk, accounts, desk_of, parse

CALL, START = "1795381257.0", 1795381257.5

#: A call that nobody claimed, answered on the way out by op02, hung up by them.
ON_THE_WAY_OUT = """\
1795381257.504669,CHAN_START,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-trunk,0800555002,
1795381258.306864,ANSWER,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-wayout,0800555002,
1795381262.103407,CHAN_START,1795381262.3,1795381257.0,PJSIP/op02-00000001,kentongan-operators,,
1795381262.307114,ANSWER,1795381262.3,1795381257.0,PJSIP/op02-00000001,kentongan-operators,,
1795381262.310213,BRIDGE_ENTER,1795381262.3,1795381257.0,PJSIP/op02-00000001,kentongan-operators,,{"bridge_id":"c7ddd600-7ece-4d9b-af8d-0d4d986a9afb","bridge_technology":"simple_bridge"}
1795381262.310294,BRIDGE_ENTER,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-wayout,0800555002,{"bridge_id":"c7ddd600-7ece-4d9b-af8d-0d4d986a9afb","bridge_technology":"simple_bridge"}
1795381263.311334,BRIDGE_EXIT,1795381262.3,1795381257.0,PJSIP/op02-00000001,kentongan-operators,,{"bridge_id":"c7ddd600-7ece-4d9b-af8d-0d4d986a9afb","bridge_technology":"simple_bridge"}
1795381263.311613,BRIDGE_EXIT,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-wayout,0800555002,{"bridge_id":"c7ddd600-7ece-4d9b-af8d-0d4d986a9afb","bridge_technology":"simple_bridge"}
1795381263.311746,HANGUP,1795381262.3,1795381257.0,PJSIP/op02-00000001,kentongan-operators,,{"hangupcause":16,"hangupsource":"PJSIP/op02-00000001","dialstatus":""}
1795381263.313814,HANGUP,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-wayout,0800555002,{"hangupcause":16,"hangupsource":"PJSIP/op02-00000001","dialstatus":"ANSWER"}
1795381263.313814,LINKEDID_END,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-wayout,0800555002,
"""

#: A call in our hands: the phone that we rang is linked to the call only when it enters the bridge.
IN_OUR_HANDS = """\
1795381335.086335,CHAN_START,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,
1795381335.093449,ANSWER,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,
1795381335.682060,CHAN_START,1795381335.27-op02-010cc37b,1795381335.27-op02-010cc37b,PJSIP/op02-00000005,kentongan-operators,,
1795381335.886504,ANSWER,1795381335.27-op02-010cc37b,1795381335.27-op02-010cc37b,PJSIP/op02-00000005,kentongan-operators,+62800555012,
1795381335.889887,BRIDGE_ENTER,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,{"bridge_id":"1795381335.27-bridge","bridge_technology":"simple_bridge"}
1795381335.890747,LINKEDID_END,1795381335.27-op02-010cc37b,1795381335.27-op02-010cc37b,PJSIP/op02-00000005,kentongan-operators,+62800555012,
1795381335.890774,BRIDGE_ENTER,1795381335.27-op02-010cc37b,1795381335.27,PJSIP/op02-00000005,kentongan-operators,+62800555012,{"bridge_id":"1795381335.27-bridge","bridge_technology":"simple_bridge"}
1795381337.888798,BRIDGE_EXIT,1795381335.27-op02-010cc37b,1795381335.27,PJSIP/op02-00000005,kentongan-operators,+62800555012,{"bridge_id":"1795381335.27-bridge","bridge_technology":"simple_bridge"}
1795381337.889244,HANGUP,1795381335.27-op02-010cc37b,1795381335.27,PJSIP/op02-00000005,kentongan-operators,+62800555012,{"hangupcause":16,"hangupsource":"PJSIP/op02-00000005","dialstatus":""}
1795381337.892370,BRIDGE_EXIT,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,{"bridge_id":"1795381335.27-bridge","bridge_technology":"simple_bridge"}
1795381337.892980,HANGUP,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,{"hangupcause":16,"hangupsource":"PJSIP/op02-00000005","dialstatus":""}
1795381337.892980,LINKEDID_END,1795381335.27,1795381335.27,PJSIP/trunk-00000004,kentongan-trunk,0800555012,
"""


def rows(text: str) -> list[Row]:
    return [row for line in text.splitlines() if (row := parse(line)) is not None]


def test_a_call_on_the_way_out_is_told_with_who_answered_since_when_and_for_how_long() -> None:
    [account] = accounts(rows(ON_THE_WAY_OUT)).values()
    assert (account.call_id, account.number, account.way_out) == (CALL, "0800555002", True)
    assert (account.arrived_at, account.ended_at) == (1795381257.504669, 1795381263.313814)
    assert (account.desk, account.began_at) == ("op02", 1795381262.310294)
    assert account.talked_for == pytest.approx(1.001, abs=0.001)


def test_a_call_in_our_hands_is_told_alike() -> None:
    [account] = accounts(rows(IN_OUR_HANDS)).values()
    assert (account.desk, account.way_out, len(account.talks)) == ("op02", False, 1)
    assert account.talked_for == pytest.approx(2.0, abs=0.01)


def test_a_number_that_we_rang_outside_through_the_trunk_is_no_call_of_its_own() -> None:
    outside = IN_OUR_HANDS.replace("op02-010cc37b", "outside-psc119-010cc37b").replace(
        "PJSIP/op02-00000005,kentongan-operators", "PJSIP/trunk-00000005,kentongan-trunk")
    [account] = accounts(rows(outside)).values()
    assert (account.call_id, account.desk, len(account.talks)) == ("1795381335.27", None, 1)
    assert account.talked_for == pytest.approx(2.0, abs=0.01)


def test_every_row_of_both_is_read() -> None:
    assert len(rows(ON_THE_WAY_OUT + IN_OUR_HANDS)) == len((ON_THE_WAY_OUT + IN_OUR_HANDS).splitlines())
    assert sorted(accounts(rows(ON_THE_WAY_OUT + IN_OUR_HANDS))) == ["1795381257.0", "1795381335.27"]


@pytest.mark.parametrize("line", [
    "", "x", ",,,,,,,", "1795381257.504669,CHAN_START,1795381257.0,17953", ON_THE_WAY_OUT[:80],
    "1795381257.504669,CHAN_START,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-trunk,<b>,",
    "1795381257.504669,HANGUP,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-trunk,,{\"hangupcause\":",
    "1795381257.504669,HANGUP,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-trunk,,[]",
    "yesterday,HANGUP,1795381257.0,1795381257.0,PJSIP/trunk-00000000,kentongan-trunk,,",
])
def test_a_line_that_is_no_row_is_left_out(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(("name", "desk"), [
    ("PJSIP/op02-00000001", "op02"), ("PJSIP/op-sri.2-0000000a", "op-sri.2"), ("Snoop/1.2-00000001", None),
    ("PJSIP/op02", None), ("", None)])
def test_a_phones_channel_is_named_after_its_operator(name: str, desk: str | None) -> None:
    assert desk_of(name) == desk


# --- what no single recorded call shows

class Book:
    """Rows, at seconds after the start."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._names = count()

    def row(self, at: float, event: str, channel: str = CALL, name: str = "PJSIP/trunk-00000000", context: str = TRUNK,
            bridge: str | None = None) -> None:
        self.rows.append(Row(START + at, event, channel, CALL, name, context, "", bridge, None))

    def caller(self, at: float, event: str, bridge: str | None = None, context: str = TRUNK) -> None:
        self.row(at, event, bridge=bridge, context=context)

    def phone(self, at: float, event: str, desk: str, bridge: str | None = None) -> None:
        self.row(at, event, f"{CALL}-{desk}-00000000", f"PJSIP/{desk}-00000001", OPERATORS, bridge)


@pytest.fixture
def book() -> Book:
    book = Book()
    book.caller(0, "CHAN_START")
    return book


def test_nobody_has_talked_to_whom_only_phones_rang(book: Book) -> None:
    book.phone(1, "CHAN_START", "op01")
    book.caller(5, "HANGUP", context=WAY_OUT)
    account = accounts(book.rows)[CALL]
    assert (account.talks, account.desk, account.began_at, account.talked_for) == ((), None, None, 0.0)
    assert (account.way_out, account.ended_at) == (True, START + 5)


def test_of_two_talks_the_last_operator_has_the_call_and_both_count(book: Book) -> None:
    for begin, desk in ((10, "op01"), (30, "op02")):
        book.caller(begin, "BRIDGE_ENTER", "b")
        book.phone(begin, "BRIDGE_ENTER", desk, "b")
        book.phone(begin + 4, "BRIDGE_EXIT", desk, "b")
        book.caller(begin + 4, "BRIDGE_EXIT", "b")
    account = accounts(book.rows)[CALL]
    assert (account.desk, account.began_at, account.talked_for) == ("op02", START + 10, 8.0)


def test_a_number_outside_that_the_way_out_dials_is_no_call_but_talks_in_one(book: Book) -> None:
    other, name = "1763800009.7", "PJSIP/trunk-00000001"
    book.row(10, "CHAN_START", other, name)
    book.row(12, "BRIDGE_ENTER", other, name, bridge="b")
    book.caller(12, "BRIDGE_ENTER", "b", WAY_OUT)
    book.row(15, "BRIDGE_EXIT", other, name, bridge="b")
    found = accounts(book.rows)
    assert list(found) == [CALL]
    assert (found[CALL].desk, found[CALL].talked_for) == (None, 3.0)


def test_operator_and_agency_at_once_are_counted_once(book: Book) -> None:
    book.caller(0, "BRIDGE_ENTER", "b")
    book.phone(0, "BRIDGE_ENTER", "op01", "b")
    book.row(2, "BRIDGE_ENTER", "x", "PJSIP/trunk-00000009", TRUNK, "b")
    book.phone(6, "BRIDGE_EXIT", "op01", "b")
    book.row(8, "BRIDGE_EXIT", "x", "PJSIP/trunk-00000009", TRUNK, "b")
    account = accounts(book.rows)[CALL]
    assert (account.desk, account.talked_for) == ("op01", 8.0)
    assert [talk.desk for talk in account.talks] == ["op01", None]


def test_a_talk_that_asterisk_died_in_lasts_to_the_last_event(book: Book) -> None:
    book.caller(1, "BRIDGE_ENTER", "b")
    book.phone(1, "BRIDGE_ENTER", "op01", "b")
    book.caller(7, "ANSWER")
    account = accounts(book.rows)[CALL]
    assert account.talks == (Talk("op01", START + 1, None),)
    assert (account.talked_for, account.ended_at) == (6.0, None)


def test_machines_and_strangers_in_a_bridge_are_nobody(book: Book) -> None:
    book.caller(1, "BRIDGE_ENTER", "b")
    book.row(1, "BRIDGE_ENTER", "s", "Snoop/x-00000001", "default", "b")
    book.phone(1, "BRIDGE_ENTER", "op01", "another")
    assert accounts(book.rows)[CALL].talks == ()


def test_a_channel_that_did_not_arrive_at_the_trunk_is_no_call() -> None:
    book = Book()
    book.phone(0, "CHAN_START", "op01")
    book.caller(1, "HANGUP")                    # whose arrival is not in the book any more
    assert accounts(book.rows) == {}
