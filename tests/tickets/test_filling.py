"""What is written into a ticket is looked up against what the admin has set up, and A1 rests on it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from db.models import Area, Attachment, Call, CallTicket, Ticket
from tests.tickets.conftest import NOW
from tickets import areas_store, fields, service, setup, setup_store
from tickets.refused import Refused
from tickets.service import Incomplete
from tickets.sources import CALL, Source
from tickets.told import told
from tickets.verification import A1, NOT_TRUE

BY: dict[str, Any] = {"by": "op01", "now": NOW}
FIRE = {"category": "house-fire", "place": "Pasar", "narrative": "Api"}
ANSWERS = {"burning": "kios", "trapped": "tidak ada"}
ELDER = {"name": "Mbah Contoh", "address": "Dusun Contoh", "family_members": 1}


@pytest.fixture(autouse=True)
async def places(desk, engine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(areas_store.seed)


async def fill(desk, ticket_id: int, **values: Any) -> Ticket:
    return await service.fill(desk.sessions, ticket_id, values, **BY)


async def elder(desk, **values: Any) -> int:
    ticket = await service.open_ticket(
        desk.sessions, service="elder", source=Source.WALK_IN, values=values, **BY)
    return ticket.id


# category, topic, answers


async def test_a_category_brings_its_topic(desk) -> None:
    ticket = await fill(desk, await desk.draft(), category="flood")
    assert (ticket.category, ticket.topic) == ("flood", "disaster")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"category": "nothing"}, "category"), ({"category": "elder-neglect"}, "category"),
        ({"category": "flood", "topic": "fire"}, "category"), ({"topic": "housing"}, "topic"),
        ({"topic": "weather"}, "topic"), ({"answers": {"burning": "x"}}, "answers.burning"),
        ({"category": "flood", "answers": {"burning": "x"}}, "answers.burning"),
        ({"category": "flood", "answers": {"depth": 5}}, "answers.depth"), ({"answers": "x"}, "answers"),
        ({"category": "flood", "answers": {"depth": "x" * 2001}}, "answers.depth"), ({"form": {"a": 1}}, "form"),
        ({"place": "x\0"}, "place"), ({"place": 7}, "place"), ({"narrative": "x" * 10_001}, "narrative"),
        ({"reporter_name": "x" * 201}, "reporter_name"), ({"latitude": 1.0}, "longitude"),
        ({"latitude": 90.5, "longitude": 1.0}, "latitude"), ({"latitude": 1, "longitude": 181}, "longitude"),
        ({"latitude": float("nan"), "longitude": 1.0}, "latitude"), ({"latitude": True, "longitude": 1}, "latitude"),
        ({"latitude": 1.0, "longitude": None}, "longitude"), ({"lifecycle": "done"}, "lifecycle"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_written(
    desk, values: dict[str, Any], field: str
) -> None:
    ticket_id = await desk.draft()
    before, lines = await desk.ticket(ticket_id), await desk.history(ticket_id)
    with pytest.raises(Refused) as told:
        await fill(desk, ticket_id, subject_name="Siapa", **values)
    assert told.value.field == field
    after = await desk.ticket(ticket_id)
    assert (after.version, after.subject_name, after.lifecycle) == (before.version, None, "draft")
    assert await desk.history(ticket_id) == lines


async def test_the_topic_alone_is_not_changed_under_its_category(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, category="flood")
    with pytest.raises(Refused, match="topic: category flood is about disaster"):
        await fill(desk, ticket_id, topic="fire")
    ticket = await fill(desk, ticket_id, topic="fire", category=None)
    assert (ticket.category, ticket.topic) == (None, "fire")


async def test_answers_are_written_and_taken_back_one_by_one_with_a_line_each(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, category="house-fire", answers={"burning": " kios ", "trapped": "dua"})
    ticket = await fill(desk, ticket_id, answers={"trapped": " ", "injured": "satu"})
    assert ticket.answers == {"burning": "kios", "injured": "satu"}
    assert [line[1:4] for line in await desk.history(ticket_id) if line[1].startswith("answers.")] == [
        ("answers.burning", None, "kios"),
        ("answers.trapped", None, "dua"),
        ("answers.trapped", "dua", None),
        ("answers.injured", None, "satu"),
    ]


async def test_a_category_that_is_offered_no_more_stays_where_it_stands_and_comes_nowhere_else(desk) -> None:
    old, new = await desk.draft(), await desk.draft()
    await fill(desk, old, category="flood")
    await setup.change_category(desk.sessions, "flood", {"active": False}, by="adi", now=NOW)
    assert (await fill(desk, old, category="flood", answers={"depth": "satu meter"})).answers
    with pytest.raises(Refused, match="no such category"):
        await fill(desk, new, category="flood")


# A1


async def test_the_answers_that_the_script_requires_are_the_evidence(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, **FIRE)
    await service.begin_check(desk.sessions, ticket_id, **BY)
    with pytest.raises(Incomplete) as told:
        await service.verify(desk.sessions, ticket_id, A1, "smoke seen", **BY)
    assert told.value.fields == ["answers.burning", "answers.trapped"]
    await fill(desk, ticket_id, answers=ANSWERS)
    ticket = await service.verify(desk.sessions, ticket_id, A1, "", **BY)
    assert (ticket.verification, ticket.evidence) == ("a1", None)
    for lost in ({"answers": {"trapped": None}}, {"place": ""}, {"category": "land-fire"}):
        with pytest.raises(Incomplete):
            await fill(desk, ticket_id, **lost)


async def test_a_village_is_place_enough(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, category="house-fire", narrative="Api", village="00.00.01.0001", answers=ANSWERS)
    await service.begin_check(desk.sessions, ticket_id, **BY)
    assert (await service.verify(desk.sessions, ticket_id, A1, "", **BY)).verification == "a1"


async def test_a_category_that_requires_nothing_needs_evidence_in_words(desk) -> None:
    given = {"service": "emergency", "topic": "fire", "name": "Asap"}
    await setup.add_category(desk.sessions, "smoke", given, by="adi", now=NOW)
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, **FIRE | {"category": "smoke"})
    await service.begin_check(desk.sessions, ticket_id, **BY)
    with pytest.raises(Incomplete, match=r"A1 needs: evidence$"):
        await service.verify(desk.sessions, ticket_id, A1, "", **BY)
    assert (await service.verify(desk.sessions, ticket_id, NOT_TRUE, "", **BY)).verification == "not_true"


async def test_a_question_that_is_asked_only_now_does_not_stop_work_on_what_is_verified(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, **FIRE, answers=ANSWERS)
    await service.begin_check(desk.sessions, ticket_id, **BY)
    await service.verify(desk.sessions, ticket_id, A1, "", **BY)
    script = {"questions": [{"key": "new", "text": "Baru?", "required": True}]}
    await setup.change_category(desk.sessions, "house-fire", {"script": script}, by="adi", now=NOW)
    assert (await fill(desk, ticket_id, subject_name="Ibu Contoh")).subject_name == "Ibu Contoh"


# places


async def test_a_village_brings_its_sub_district(desk) -> None:
    ticket = await fill(desk, await desk.draft(), village="00.00.02.0001")
    assert (ticket.subdistrict, ticket.village) == ("00.00.02", "00.00.02.0001")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"subdistrict": "99"}, "subdistrict"), ({"subdistrict": "00.00.01.0001"}, "subdistrict"),
        ({"village": "99"}, "village"), ({"village": "00.00.01"}, "village"),
        ({"subdistrict": "00.00.02", "village": "00.00.01.0001"}, "village"),
    ],
)  # fmt: skip
async def test_a_place_that_is_not_on_the_list_is_refused(desk, values: dict[str, Any], field: str) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(Refused) as told:
        await fill(desk, ticket_id, **values)
    assert told.value.field == field


async def test_a_village_does_not_stay_when_its_sub_district_goes(desk) -> None:
    ticket_id = await desk.draft()
    await fill(desk, ticket_id, village="00.00.01.0001")
    for other in ("00.00.02", None):
        with pytest.raises(Refused, match="village: this village lies in another"):
            await fill(desk, ticket_id, subdistrict=other)
    ticket = await fill(desk, ticket_id, subdistrict="00.00.02", village=None)
    assert (ticket.subdistrict, ticket.village) == ("00.00.02", None)


async def test_a_place_that_is_offered_no_more_stays_where_it_stands(desk) -> None:
    old, new = await desk.draft(), await desk.draft()
    await fill(desk, old, village="00.00.01.0001")
    async with desk.sessions.begin() as session:
        (await session.get_one(Area, "00.00.01.0001")).active = False
    assert (await fill(desk, old, village="00.00.01.0001", place="Rumah pojok")).place == "Rumah pojok"
    with pytest.raises(Refused):
        await fill(desk, new, village="00.00.01.0001")


# forms


async def test_a_form_is_written_bit_by_bit_and_must_be_whole_for_a1(desk) -> None:
    ticket_id = await elder(desk, category="elder-neglect", place="Dusun", narrative="Sendiri",
                            answers={"alone": "ya", "eating": "tidak"}, form={"name": "Mbah Contoh"})
    await service.begin_check(desk.sessions, ticket_id, **BY)
    with pytest.raises(Incomplete, match=r"A1 needs: form.address, form.family_members$"):
        await service.verify(desk.sessions, ticket_id, A1, "", **BY)
    ticket = await fill(desk, ticket_id, form={"address": "Dusun Contoh", "family_members": 1, "job": ""})
    assert (ticket.form, ticket.form_version) == (ELDER, 1)
    assert (await service.verify(desk.sessions, ticket_id, A1, "", **BY)).verification == "a1"


async def test_a_photo_is_an_attachment_of_this_ticket_and_of_its_kind(desk) -> None:
    ticket_id, other = await elder(desk, form=ELDER), await elder(desk)
    async with desk.sessions.begin() as session:
        kept = [
            Attachment(ticket_id=of, title="x", media_type=kind, size=1, sha256=f"{n:064}", at=NOW, who="op01")
            for n, (of, kind) in enumerate([(ticket_id, "image/jpeg"), (ticket_id, "audio/ogg"), (other, "image/png")])
        ]
        session.add_all(kept)
    photo, sound, of_another = [one.id for one in kept]
    for wrong in (sound, of_another, 4711):
        with pytest.raises(Refused, match=r"form.dwelling_photo: it is the id of an attachment"):
            await fill(desk, ticket_id, form={"dwelling_photo": wrong})
    assert (await fill(desk, ticket_id, form={"dwelling_photo": photo})).form["dwelling_photo"] == photo


async def test_what_is_no_number_is_no_attachment_also_where_the_form_does_not_say_so(desk) -> None:
    schema = {"type": "object", "properties": {"photo": {"x-attachment": "image/"}}}
    await setup.add_form(desk.sessions, "elder", schema, by="adi", now=NOW, version=1)
    ticket_id = await elder(desk)
    async with desk.sessions.begin() as session:
        session.add(Attachment(
            id=1, ticket_id=ticket_id, title="x", media_type="image/jpeg", size=1, sha256="0" * 64, at=NOW, who="op01"))
    for wrong in ([1], {}, True, "1", 1.0):
        with pytest.raises(Refused, match=r"form.photo: it is the id of an attachment"):
            await fill(desk, ticket_id, form={"photo": wrong})
    assert (await fill(desk, ticket_id, form={"photo": 1})).form == {"photo": 1}


async def test_a_new_form_leaves_old_entries_readable_and_takes_the_next(desk) -> None:
    old = await elder(desk, form=ELDER)
    schema = {"type": "object", "properties": {"name": {"type": "string", "title": "Nama lengkap"},
                                               "income": {"type": "integer", "title": "Penghasilan"}}}
    form = await setup.add_form(desk.sessions, "elder", schema, by="adi", now=NOW)
    assert form.version == 2
    ticket = await desk.ticket(old)
    assert (ticket.form, ticket.form_version) == (ELDER, 1)
    async with desk.sessions() as session:
        said = told(ticket, await setup_store.about(session, ticket))
        assert [one["name"] for one in said["form"]] == ["Nama", "Alamat", "Jumlah anggota keluarga"]
    new = await desk.ticket(await elder(desk, form={"income": 5}))
    assert (new.form, new.form_version) == ({"income": 5}, 2)


# opening


async def test_each_service_counts_for_itself_in_the_regencys_month(desk) -> None:
    last_evening = datetime(2026, 11, 30, 18, 0, tzinfo=UTC).astimezone(ZoneInfo("Asia/Jakarta"))
    numbers = []
    for code in ("emergency", "elder", "elder", "social-welfare"):
        ticket = await service.open_ticket(
            desk.sessions, service=code, source=Source.LETTER, by="op01", now=last_evening)
        numbers.append(ticket.number)
    assert numbers == ["2612-0001", "L-2612-0001", "L-2612-0002", "S-2612-0001"]


async def test_the_clock_runs_from_the_first_calls_arrival(desk) -> None:
    arrived = NOW - timedelta(minutes=10)
    async with desk.sessions.begin() as session:
        session.add_all(
            Call(id=call_id, node="kentongan", caller_number=number, stage="ended", arrived_at=at)
            for call_id, number, at in (("1.1", None, NOW), ("1.2", "0800555002", arrived)))
    ticket = await service.open_ticket(
        desk.sessions, service="elder", source=CALL, calls=["1.2", "1.1", "1.2"], **BY)
    assert (ticket.due_at, ticket.reporter_number) == (arrived + timedelta(hours=4), "0800555002")
    assert (ticket.version, ticket.lifecycle, ticket.source) == (1, "open", "call")
    async with desk.sessions() as session:
        links = await session.execute(select(CallTicket.call_id, CallTicket.linked_by).order_by(CallTicket.call_id))
        assert [tuple(link) for link in links] == [("1.1", "op01"), ("1.2", "op01")]
    assert (await desk.history(ticket.id))[0] == ("op01", "lifecycle", None, "draft", "call 1.2 1.1")


async def test_what_cannot_be_opened_takes_no_number(desk) -> None:
    await setup.change_service(desk.sessions, "social-welfare", {"active": False}, by="adi", now=NOW)
    for given, field in (
        ({"service": "social-welfare"}, "service"), ({"service": "nothing"}, "service"), ({"source": CALL}, "calls"),
        ({"calls": ["9.9"]}, "calls.0"), ({"values": {"topic": "weather"}}, "topic"),
    ):  # fmt: skip
        with pytest.raises(Refused) as told:
            await service.open_ticket(
                desk.sessions, **{"service": "elder", "source": Source.WALK_IN, **BY, **given})
        assert told.value.field == field
    assert (await desk.ticket(await elder(desk))).number == "L-2611-0001"
    async with desk.sessions() as session:
        assert await session.scalar(select(func.count(Ticket.id))) == 1


def test_every_field_that_can_be_written_is_a_column_of_the_ticket() -> None:
    assert set(fields.FIELDS) <= {column.key for column in Ticket.__table__.columns}
