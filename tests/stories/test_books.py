"""Two books of the same calls: ours, and the one that Asterisk keeps by itself. Whatever a caller does, they agree."""

from contextlib import closing

import pytest
from sqlalchemy import select

from calls.reckoning import Record, compare
from calls.stages import ENDED
from db.models import Call
from telephony.cel import parse
from telephony.cel_book import CelBook
from tests.stories.real_house import RealHouse

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(60)]

#: A caller number whose second line would be a row of a call that never was.
FORGED = "0800555001\n1795381257.000001,CHAN_START,1795381257.9,1795381257.9,PJSIP/trunk-00000009,kentongan-trunk,,"


async def test_no_caller_writes_in_asterisks_book_and_what_stands_in_it_stands_in_ours(real_house: RealHouse) -> None:
    house = real_house
    path = house.exchange.settings.data / "events/calls.csv"
    phone = await house.phone("op01")
    first = await house.dials(number="0800555001", keys="1")
    await phone.picked_up()
    await house.until(first, "talking")
    await first.hangs_up()
    await first.ended()
    second = await house.dials(number=FORGED)
    await second.hangs_up()
    for caller in (first, second):
        await house.until(caller, "ended")
    await house.settled()

    assert all(parse(line) for line in path.read_text().splitlines())
    assert path.stat().st_mode & 0o777 == 0o640
    with closing(CelBook(path)) as book:
        told = book.accounts()
    assert "1795381257.9" not in told
    calls = [first.call_id, second.call_id]
    with house.engine.connect() as connection:
        ours = [Record(call.id, call.stage == ENDED, call.operator, call.talking_at is not None)
                for call in connection.execute(select(Call.__table__).where(Call.id.in_(calls)))]
    assert not compare([account for call_id, account in told.items() if call_id in calls], ours)
    assert {record.call_id for record in ours if record.talked} == {first.call_id}
