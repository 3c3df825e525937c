"""Tickets are found by filters, words and numbers: the same ones on both databases, in two queries, page after page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import search
from db.engine import reading_session, sync_engine
from db.models import Agency, Call, CallTicket, Forwarding, OutboxMessage, Ticket
from tests.statements import counted
from tickets import search_store
from tickets.search_store import Line, Told, Wanted
from tickets.search_words import MOST_WORDS, fts5, sought, tsquery

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
BARE: dict[str, Any] = {
    "lifecycle": "open", "verification": "open", "topic": "fire", "created_at": NOW, "updated_at": NOW, "version": 1,
}  # fmt: skip

MARKET, OLD, HOUSE = "2611-0042", "L-2611-0007", "2611-0043"
SAID: dict[str, dict[str, Any]] = {
    MARKET: {
        "place": "Pasar Rogojampi", "narrative": 'Kebakaran di kios nomor 3, café Élite; "asap" tebal',
        "reporter_name": "Sri Wahyuni", "reporter_number": "+62800555112",
    },
    OLD: {
        "place": "حريق في السوق القديم", "narrative": "Rumah miring\nmakanan tinggal sedikit", "reporter_name": "José",
        "reporter_number": "0800 555-113", "subject_name": "Mbah Karto", "subject_number": "(+62) 555.0199",
    },
    HOUSE: {"narrative": f"{'x' * 5000} NEAR AND kios -nomor* 0800-555-114", "reporter_number": "anonymous"},
}  # fmt: skip


@pytest.fixture
async def said(engine: AsyncEngine) -> None:
    """The three tickets, written by nobody who knows of any index."""
    async with engine.begin() as connection:
        for number, values in SAID.items():
            await connection.execute(insert(Ticket), BARE | {"number": number} | values)


async def numbers(sessions: Sessions, wanted: Wanted, **other: Any) -> list[str]:
    return [line.ticket.number for line in await lines(sessions, wanted, **other)]


async def lines(sessions: Sessions, wanted: Wanted, **other: Any) -> list[Line]:
    async with reading_session(sessions) as session:
        return await search_store.page(session, wanted, **{"now": NOW, "limit": 50, **other})


WORDS = [
    ("rogojampi", [MARKET]),
    ("ROGOJAMPI", [MARKET]),
    ("  keb  ", [MARKET]),
    ("kebakaran pasar", [MARKET]),
    ("pasar tebal kebakaran", [MARKET]),
    ("kebakaran miring", []),
    ("bakaran", []),
    ("cafe elite", [MARKET]),
    ("CAFÉ", [MARKET]),
    ("cafe\N{COMBINING ACUTE ACCENT}", [MARKET]),
    ("jose", [OLD]),
    ("wahyuni sri", [MARKET]),
    ("karto", [OLD]),
    ("السوق", [OLD]),
    ("\N{RIGHT-TO-LEFT MARK}حريق", [OLD]),
    ("sedikit makanan", [OLD]),
    ("di", [MARKET]),
    ("ki", []),  # two letters are a word, no beginning
    ("kios 3", [MARKET]),
    ("x" * 10_000, [HOUSE]),
    ("y" * 10_000, []),
]
NUMBERS = [
    ("2611-0042", [MARKET]),
    ("26110042", [MARKET]),
    ("2611 0042", [MARKET]),
    ("0042", [MARKET]),
    ("L-2611-0007", [OLD]),
    ("l-2611-0007", [OLD]),
    ("2611-0007", [OLD]),
    ("0007", [OLD]),
    ("2611", [HOUSE, OLD, MARKET]),
    ("2611-9999", []),
    ("0800 555-112", [MARKET]),
    ("0800555112", [MARKET]),
    ("+62 800 555 112", [MARKET]),
    ("62800555112", [MARKET]),
    ("0062800555112", [MARKET]),
    ("555112", [MARKET]),
    ("112", [MARKET]),
    ("0055", [OLD, MARKET]),
    ("(0800) 555.113", [OLD]),
    ("+62800555113", [OLD]),
    ("555 0199", [OLD]),
    ("0800-555-114", [HOUSE]),
    ("sri 555112", [MARKET]),
    ("sri 555113", []),
    ("rogojampi 3 0800555112", [MARKET]),
]
HOSTILE = [
    ('"asap"', [MARKET]),
    ('"', []),
    ('""', []),
    ("*", []),
    ("-", []),
    ("'; DROP TABLE tickets; --", []),
    ("' OR 1=1", []),
    ("kios* OR pasar", []),
    ("kios -nomor", [HOUSE, MARKET]),
    ("NEAR", [HOUSE]),
    ("NEAR(kios", [HOUSE]),
    ("and NOT", []),
    ("report:kios", []),
    ("^kios", [HOUSE, MARKET]),
    ("@sri", [MARKET]),
    ("':*", []),
    ("kios & !pasar | ( <-> \\", [MARKET]),
    ("%", []),
    ("_", []),
    ("\0", []),
    ("kios\0", [HOUSE, MARKET]),
    ("\N{FIRE}", []),
    ("\ud800", []),
    ("½ ²", []),
    ("( " * 5_000, []),
    ("a " * 5_000, []),
]


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("cases", [WORDS, NUMBERS, HOSTILE], ids=["words", "numbers", "hostile"])
async def test_what_a_person_types_finds_the_same_on_both_databases(
    sessions: Sessions, cases: list[tuple[str, list[str]]]
) -> None:
    assert [(typed, await numbers(sessions, Wanted(q=typed))) for typed, _ in cases] == cases


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
async def test_nothing_typed_is_no_filter(sessions: Sessions, blank: str) -> None:
    assert len(await numbers(sessions, Wanted(q=blank))) == 3


@given(st.text(max_size=60))
def test_no_text_makes_a_question_with_anything_but_quoted_words(typed: str) -> None:
    what = sought(typed)
    if not what:
        return
    for question, ours in ((fts5(what, people=False), "report : AND OR"), (tsquery(what, people=True), "@")):
        quote = '"' if "report" in question else "'"
        inside, outside = question.split(quote)[1::2], question.split(quote)[0::2]
        assert all(word.removeprefix("@").replace("@", "").isalnum() for word in inside)
        assert set("".join(outside)) <= set(ours + "() *|&:")


def test_what_is_typed_without_end_is_looked_for_as_far_as_it_is_sensible() -> None:
    assert len(sought(" ".join(f"kata{number}x" for number in range(100)))) == MOST_WORDS


@pytest.mark.usefixtures("said")
async def test_a_ticket_is_found_by_what_it_says_now_whoever_wrote_it(engine: AsyncEngine, sessions: Sessions) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            update(Ticket)
            .where(Ticket.number == MARKET)
            .values(place="Pelabuhan Ketapang", reporter_number="+62 555 0777", narrative=None)
        )
        await connection.execute(delete(Ticket).where(Ticket.number == OLD))
    for gone in ("rogojampi", "kebakaran", "0800555112", "miring"):
        assert await numbers(sessions, Wanted(q=gone)) == []
    for there in ("ketapang", "5550777", "0042", "sri"):
        assert await numbers(sessions, Wanted(q=there)) == [MARKET]
    if engine.dialect.name == "sqlite":
        async with engine.begin() as connection:  # FTS5 compares its index with what it is about
            checks = "INSERT INTO search_tickets (search_tickets, rank) VALUES ('integrity-check', 1)"
            await connection.execute(text(checks))


async def test_a_text_of_a_megabyte_is_no_reason_to_refuse_a_ticket(engine: AsyncEngine, sessions: Sessions) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            insert(Ticket),
            BARE | {"number": MARKET, "narrative": "kebakaran " + "é" * 1_000_000, "reporter_number": "5" * 100_000},
        )
    assert await numbers(sessions, Wanted(q="kebakaran 555555")) == [MARKET]


@pytest.mark.usefixtures("said")
async def test_an_agency_finds_what_was_forwarded_to_it_and_never_by_the_people_who_told_it(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with engine.begin() as connection:
        await _forward(connection, 1, "damkar")
        await _forward(connection, 2, "dinsos")
    for typed in ("", "kebakaran", "0042"):
        (line,) = await lines(sessions, Wanted(q=typed), seen_by="damkar")
        assert line.ticket.number == MARKET
        assert not {"reporter_name", "reporter_number"} & set(line.ticket._fields)
    for typed in ("sri", "wahyuni", "0800555112", "555112", "@sri", "people:sri"):
        assert await lines(sessions, Wanted(q=typed), seen_by="damkar") == []
    assert await lines(sessions, Wanted(q="miring"), seen_by="damkar") == []
    assert await lines(sessions, Wanted(), seen_by="nobody") == []
    assert await numbers(sessions, Wanted(agency="dinsos"), seen_by="damkar") == []


async def _forward(connection: Any, ticket_id: int, code: str, state: str = "sent", messages: int = 1) -> None:
    found = (await connection.execute(text("SELECT id FROM agencies WHERE code = :code"), {"code": code})).scalar()
    if found is None:
        bare = {"code": code, "name": code, "topics": [], "active": True, "version": 1}
        found = (await connection.execute(insert(Agency).returning(Agency.id), bare)).scalar_one()
    forwarding = (
        await connection.execute(
            insert(Forwarding).returning(Forwarding.id),
            {"ticket_id": ticket_id, "agency_id": found, "state": state, "created_at": NOW},
        )
    ).scalar_one()
    for attempt in range(messages):
        await connection.execute(
            insert(OutboxMessage),
            {"key": f"msg_{forwarding}_{attempt}", "forwarding_id": forwarding, "payload": {}, "due_at": NOW,
             "attempts": attempt, "state": "sent"},
        )  # fmt: skip


HOUR = timedelta(hours=1)
#: what each ticket is beside BARE, and which filters find it
MANY: list[dict[str, Any]] = [
    {"number": "1", "lifecycle": "draft"},
    {"number": "2", "verification": "a1", "lifecycle": "forwarded", "due_at": NOW - HOUR},
    {"number": "3", "service": "elder", "topic": "social", "category": "neglect", "due_at": NOW + HOUR},
    {"number": "4", "subdistrict": "35.10.18", "village": "35.10.18.2003", "lifecycle": "done", "due_at": NOW - HOUR},
    {"number": "5", "created_at": NOW - 24 * HOUR, "lifecycle": "closed", "due_at": NOW - 20 * HOUR},
    {"number": "6", "merged_into": 2, "due_at": NOW - HOUR},
]
FILTERS: list[tuple[Wanted, str]] = [
    (Wanted(), "54321"),
    (Wanted(merged=True), "654321"),
    (Wanted(lifecycles=("draft",)), "1"),
    (Wanted(lifecycles=("draft", "closed", "draft")), "51"),
    (Wanted(lifecycles=("draft", "open", "forwarded", "accepted")), "321"),
    (Wanted(lifecycles=("open",), merged=True), "63"),
    (Wanted(verification="a1"), "2"),
    (Wanted(service="elder"), "3"),
    (Wanted(topic="social"), "3"),
    (Wanted(category="neglect"), "3"),
    (Wanted(subdistrict="35.10.18"), "4"),
    (Wanted(village="35.10.18.2003"), "4"),
    (Wanted(village="35.10.18.2004"), ""),
    (Wanted(agency="damkar"), "42"),
    (Wanted(agency="dinsos"), "2"),
    (Wanted(agency="nobody"), ""),
    (Wanted(operator="op01"), "21"),
    (Wanted(operator="op02"), "2"),
    (Wanted(created_from=NOW), "4321"),
    (Wanted(created_to=NOW), "5"),
    (Wanted(created_from=NOW - 24 * HOUR, created_to=NOW), "5"),
    (Wanted(late=True), "2"),
    (Wanted(late=True, merged=True), "62"),
    (Wanted(lifecycles=("open", "forwarded"), agency="damkar", operator="op02", late=True), "2"),
    (Wanted(lifecycles=("open", "done", "closed"), q="10"), ""),
]


@pytest.fixture
async def many(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for values in MANY:
            await connection.execute(insert(Ticket), BARE | values)
        for call_id, operator, ticket_ids in (("1.1", "op01", [1, 2]), ("1.2", "op02", [2]), ("1.3", None, [3])):
            await connection.execute(
                insert(Call),
                {"id": call_id, "node": "a", "stage": "ended", "topic": "any", "pressed": "", "arrived_at": NOW,
                 "operator": operator},
            )  # fmt: skip
            for ticket_id in ticket_ids:
                await connection.execute(insert(CallTicket), {"call_id": call_id, "ticket_id": ticket_id})
        await _forward(connection, 2, "damkar", "accepted", messages=2)
        await _forward(connection, 2, "dinsos", "refused")
        await _forward(connection, 4, "damkar", "done")


@pytest.mark.usefixtures("many")
async def test_filters_leave_the_newest_first(sessions: Sessions) -> None:
    assert [(wanted, "".join(await numbers(sessions, wanted))) for wanted, _ in FILTERS] == FILTERS


@pytest.mark.usefixtures("many")
async def test_a_line_says_how_many_calls_and_how_far_each_agency_is(sessions: Sessions) -> None:
    shown = {line.ticket.number: (line.calls, line.agencies) for line in await lines(sessions, Wanted())}
    assert shown["2"] == (2, [Told("damkar", "accepted"), Told("dinsos", "refused")])
    assert (shown["1"], shown["3"]) == ((1, []), (1, []))
    assert shown["5"] == (0, [])


@pytest.mark.usefixtures("many")
async def test_pages_put_together_are_the_whole_list(sessions: Sessions) -> None:
    for wanted, whole in FILTERS:
        found: list[str] = []
        while piece := await lines(sessions, wanted, limit=1, before=int(found[-1]) if found else None):
            found.append(piece[0].ticket.number)
        assert "".join(found) == whole


@pytest.mark.usefixtures("many")
async def test_what_comes_between_two_pages_moves_nothing(engine: AsyncEngine, sessions: Sessions) -> None:
    first = await lines(sessions, Wanted(), limit=2)
    async with engine.begin() as connection:
        await connection.execute(insert(Ticket), BARE | {"number": "7", "created_at": NOW - 48 * HOUR})
    second = await lines(sessions, Wanted(), limit=2, before=first[-1].ticket.id)
    assert [line.ticket.number for line in (*first, *second)] == ["5", "4", "3", "2"]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("limit", [1, 50])
async def test_a_page_takes_two_queries_however_long_it_is(engine: AsyncEngine, sessions: Sessions, limit: int) -> None:
    for wanted, found in FILTERS:
        async with reading_session(sessions) as session:
            with counted(engine) as statements:
                await search_store.page(session, wanted, now=NOW, limit=limit)
        assert len(statements) == (2 if found else 1)


@pytest.mark.usefixtures("many")
async def test_forwardings_of_many_tickets_come_with_their_latest_message_in_one_query(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with reading_session(sessions) as session:
        with counted(engine) as statements:
            found = await search_store.forwardings_of(session, [1, 2, 4])
    assert len(statements) == 1
    assert {number: [(agency.code, message.attempts) for _, agency, message in told]
            for number, told in found.items()} == {2: [("damkar", 1), ("dinsos", 0)], 4: [("damkar", 0)]}  # fmt: skip


def test_the_index_is_built_over_what_is_there(database_url: str) -> None:
    """As in the migration of a house that has been answering for years."""
    engine = sync_engine(database_url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for trigger in ("added", "removed", "before", "after"):
                connection.execute(text(f"DROP TRIGGER search_tickets_{trigger}"))
            connection.execute(text("DROP TABLE search_tickets"))
            connection.execute(text("DROP VIEW search_ticket_texts"))
        else:
            connection.execute(text("DROP INDEX search_tickets"))
            connection.execute(text("DROP FUNCTION kentongan_ticket_words"))
        connection.execute(insert(Ticket), BARE | {"number": MARKET, "place": "Pasar Rogojampi"})
        for statement in search.statements(engine.dialect.name):
            connection.exec_driver_sql(statement)
        found = (
            "SELECT rowid FROM search_tickets WHERE search_tickets MATCH 'rogojampi'"
            if engine.dialect.name == "sqlite"
            else f"SELECT id FROM tickets WHERE {search.TICKET_WORDS} @@ 'rogojampi'"
        )
        assert connection.execute(text(found)).scalars().all() == [1]
    engine.dispose()
