"""The porch: `kentongan demo --day`: a day of a regency's 112 in minutes, on a real Asterisk with real SIP calls.

A hundred callers dial as `day_plan` says; six operators answer at their phones and decide, under their own names and
through the doors, as their script says. At the end the day's figures are counted twice, from the tables and from
journal and audit, and held against what the callers and the phones experienced themselves. What is left in the data
folder is a day's worth of calls, tickets, recordings and call-backs, for desks and reports to be built against.
"""
import asyncio
import base64
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import figures_store
from calls.disposition import Disposition
from calls.figures_store import Figures
from db.engine import async_engine, reading_session
from kentongan.agency import Receiver, receiving
from kentongan.day_count import Count, count
from kentongan.day_plan import Caller, day
from kentongan.demo import set_up_agency
from kentongan.ground import lay, phones
from kentongan.rtp import Tone
from kentongan.settings import Settings, load
from kentongan.sipp import Key, Phone, PhoneCall, dial, phone_registers
from kentongan.stage import PATIENCE, Doors, doors_of, environment_of, everybody_works, own_place, service
from routing.operators import OFFERED, TALKING, WRAP_UP

OPERATORS = 6
AGENCIES = ("damkar", "psc119", "polres", "bpbd")
#: Seconds in which, after the last call, everything has been archived, sent and acknowledged.
SETTLED_WITHIN = 180.0
#: Settings of the day: its speed is raised, and so is theirs.
RAISED = "wrap_up_for = 30.0\ntell_place_every = 10.0\nrtp_start = 12000\nrtp_end = 13999\n"
_VERDICT = {
    Disposition.ADVICE_ONLY: "Diberi saran lewat telepon.", Disposition.INFORMATION: "Permintaan informasi, dijawab.",
    Disposition.PRANK: "Laporan iseng.", Disposition.GHOST: "Tidak ada suara.",
    Disposition.NOT_OUR_MATTER: "Diarahkan ke layanan lain.", Disposition.TEST: "Panggilan uji.",
}  # fmt: skip


class Day:
    """The day, as its people experience it."""

    def __init__(self, settings: Settings, callers: list[Caller], say: Callable[[str], None]) -> None:
        self.settings, self.callers, self.say = settings, callers, say
        self.by_number = {caller.number: caller for caller in callers if caller.number is not None}
        self.questions: dict[str, list[str]] = {}       # of a category, those that must be answered
        self.answered_at_phones = 0
        self.callers_ended: Counter[str] = Counter()    # "callee" or "caller" hung up
        self._writing: set[asyncio.Task[None]] = set()

    async def goes_by(self, agency: Receiver) -> None:
        """From the first caller's ring to the last word that is written."""
        async with AsyncExitStack() as stack:
            admin = await stack.enter_async_context(doors_of(self.settings))
            for code in AGENCIES:
                await set_up_agency(admin, code, agency)
            for category in (await admin.get("/api/categories?limit=500"))["items"]:
                self.questions[category["code"]] = [
                    question["key"] for question in category["script"]["questions"] if question["required"]]
            staff = phones(self.settings, await lay(self.settings))[:OPERATORS]
            await everybody_works(admin, [row["user"] for row in staff], self.settings.timezone)
            works: list[asyncio.Task[None]] = []
            works_go_on = await stack.enter_async_context(asyncio.TaskGroup())     # a fault of theirs ends the day
            for row in staff:
                token = (await admin.post(f"/api/users/{row['user']}/tokens"))["token"]
                desk = await stack.enter_async_context(doors_of(self.settings, token))
                phone = await stack.enter_async_context(phone_registers(
                    row["user"], row["password"], at=self._sip, voice=Tone(1000), answers_after=0.5))
                works.append(works_go_on.create_task(self._works(phone, desk)))
            await admin.until("everybody is ready", _are_ready, "/api/operators", len(staff))
            self.say(f"{len(staff)} operators are ready; {len(self.callers)} callers begin to dial")
            async with asyncio.TaskGroup() as calling:
                for caller in self.callers:
                    calling.create_task(self._calls(caller))
            self.say("the last call is over; the last words are written")
            await admin.until("everybody is ready again", _are_ready, "/api/operators", len(staff))
            for work in works:
                work.cancel()
            await asyncio.gather(*self._writing)

    @property
    def _sip(self) -> tuple[str, int]:
        return self.settings.host, self.settings.sip_port

    # --- callers

    async def _calls(self, caller: Caller) -> None:
        await asyncio.sleep(caller.dials_at)
        keys = [Key(caller.presses_after, caller.key)] if caller.key else []
        async with dial("112", to=self._sip, number=caller.number, voice=Tone(440), keys=keys) as line:
            await line.answered()
            try:
                async with asyncio.timeout(caller.patience):
                    ended = await line.ended()
            except TimeoutError:
                ended = await line.hangs_up()
            self.callers_ended[ended.by] += 1

    # --- operators

    async def _works(self, phone: Phone, desk: Doors) -> None:
        """One call after the other, until the day is over."""
        while True:
            talk = await phone.picked_up()
            caller = self._who(talk)
            call_id = await self._call_of(talk, desk)
            if call_id is None:
                continue
            self.answered_at_phones += 1
            await asyncio.wait([asyncio.ensure_future(talk.ended())], timeout=caller.talks_for if caller else 2.0)
            await talk.hangs_up()
            writing = asyncio.create_task(self._writes(desk, phone.user, call_id, caller))
            self._writing.add(writing)
            await asyncio.shield(writing)               # what is begun is written to its end

    def _who(self, talk: PhoneCall) -> Caller | None:
        """What is heard in the talk; None: somebody without a number, who says nothing."""
        number = _ours(talk.caller)
        return self.by_number[number] if number else None

    async def _call_of(self, talk: PhoneCall, desk: Doors) -> str | None:
        """The call that the desk's page shows; None: the caller hung up in the moment in which the phone was picked
        up, and the line is dead."""
        async with asyncio.timeout(PATIENCE):
            while True:
                is_dead = talk.is_over
                shown = await desk.get(f"/api/operators/{talk.user}")
                if shown["state"] in (TALKING, WRAP_UP):
                    call = await desk.get(f"/api/calls/{shown['call_id']}")
                    return str(call["id"]) if _ours(call["caller_number"] or "") == _ours(talk.caller) else None
                if is_dead and shown["state"] != OFFERED:
                    return None
                await asyncio.sleep(0.1)

    async def _writes(self, desk: Doors, user: str, call_id: str, caller: Caller | None) -> None:
        """Disposition, ticket, verification, forwarding; then the desk takes the next call."""
        kind = caller.disposition if caller else Disposition.GHOST
        call = await desk.until("the call's end", lambda call: call["ended_at"], f"/api/calls/{call_id}")
        await desk.post(f"/api/calls/{call_id}/disposition", disposition=str(kind))
        ticket = call["tickets"][0]
        if caller is not None and caller.report is not None:
            await self._reports(desk, ticket, caller)
        else:
            await desk.post(f"/api/tickets/{ticket['id']}/close", ticket["version"], reason=_VERDICT[kind])
        await desk.post(f"/api/operators/{user}/wrap-up-done")

    async def _reports(self, desk: Doors, ticket: dict[str, Any], caller: Caller) -> None:
        report, path = caller.report, f"/api/tickets/{ticket['id']}"
        assert report is not None
        answers = dict.fromkeys(self.questions[report.category], "Dijawab pelapor dengan jelas.")
        ticket = await desk.patch(
            path, ticket["version"], topic=report.topic, category=report.category, narrative=report.narrative,
            place=f"Dusun {caller.number or ''}", answers=answers)
        ticket = await desk.post(f"{path}/verification", ticket["version"], result="checking")
        if not caller.is_true:
            ticket = await desk.post(f"{path}/verification", ticket["version"], result="not_true",
                                     evidence="Dihubungi kembali: tidak ada kejadian.")
            await desk.post(f"{path}/close", ticket["version"], reason="Laporan tidak benar.")
            return
        ticket = await desk.post(f"{path}/verification", ticket["version"], result="a1", evidence="Diulang pelapor.")
        await desk.post(f"{path}/forward", ticket["version"], agencies=list(report.agencies))


def _ours(text: str) -> str | None:
    """The number of the plan's that stands in it, however it is written."""
    found = re.search(r"800555\d{3}", text)
    return f"0{found[0]}" if found else None


def _are_ready(answer: dict[str, Any], wanted: int) -> bool:
    return sum(row["why_not_free"] is None for row in answer["items"]) >= wanted


async def tell(settings: Settings, keep: bool, callers: int, seed: int) -> int:
    """Play the day; returns the exit status, 0 only if its figures add up, counted twice."""
    began = time.monotonic()
    settings = own_place(settings, "day")
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / "kentongan.toml").write_text(RAISED)
    since = datetime.now(UTC)

    def say(line: str) -> None:
        print(f"  {time.monotonic() - began:7.1f} s {line}", flush=True)

    async with AsyncExitStack() as stack:
        guard = await stack.enter_async_context(service(settings, keep))
        agency = await stack.enter_async_context(receiving("Piket"))
        agency.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        say(f"the service answers on {settings.host}:{settings.sip_port}/udp (pid {guard}); seed {seed}")
        plan = Day(settings, day(seed, callers), say)
        await plan.goes_by(agency)
        sessions, close = _sessions(load(data=settings.data).database_url)
        stack.push_async_callback(close)
        found = await _settled(sessions, since)
        async with reading_session(sessions) as session:
            second = count(*await figures_store.books(session, since))
        say("everything is archived, sent and acknowledged")
        _print(found)
        good = _adds_up(plan, found, second, agency.receipts.qsize())
    where = (f"Left in {settings.data}. Look: KENTONGAN_DATA={settings.data} .venv/bin/kentongan figures (calls list, "
             f"tickets list …); start a service on it: KENTONGAN_DATA={settings.data} .venv/bin/kentongan run")
    if keep:
        where = (f"Left running (guard pid {guard}). Doors: {settings.public_url}\nStop it: kill {guard}; "
                 f"{environment_of(settings)} .venv/bin/kentongan asterisk stop")
    print(f"\n{where}\n{'The figures add up.' if good else 'THE FIGURES DO NOT ADD UP (see above).'} "
          f"{time.monotonic() - began:.0f} s in all.")
    return 0 if good else 1


def _sessions(url: str) -> tuple[async_sessionmaker[AsyncSession], Callable[[], Any]]:
    engine = async_engine(url)
    return async_sessionmaker(engine, expire_on_commit=False), engine.dispose


async def _settled(sessions: async_sessionmaker[AsyncSession], since: datetime) -> Figures:
    """The figures, once nothing of the day is under way any more; as they are when patience ends."""
    until = time.monotonic() + SETTLED_WITHIN
    while True:
        async with reading_session(sessions) as session:
            found = await figures_store.figures(session, since, datetime.now(UTC))
        under_way = found.outcomes.get(figures_store.GOES_ON, 0) + sum(
            found.recordings.get(state, 0) for state in ("recording", "waiting")) + sum(
            states.get(state, 0) for states in found.forwardings.values() for state in ("queued", "sent"))
        if not under_way or time.monotonic() > until:
            return found
        await asyncio.sleep(0.5)


def _print(found: Figures) -> None:
    print("\nThe day's figures")
    for line in found.lines():
        print(f"  {line}")


def _adds_up(plan: Day, found: Figures, second: Count, receipts: int) -> bool:
    """Print every sum, and whether it holds."""
    forwarded = Counter({
        f"{code} {state}": n for code, states in found.forwardings.items() for state, n in states.items()})
    true = sum(len(caller.report.agencies) for caller in plan.callers if caller.report and caller.is_true)
    checks: list[tuple[str, object, object]] = [
        ("calls = callers who dialled", found.calls, len(plan.callers)),
        ("calls = answered + abandoned + handed back + cut", found.calls, sum(
            found.outcomes.get(word, 0) for word in ("answered", "abandoned", "handed back", "cut by the exchange"))),
        ("answered = calls picked up at the phones", found.outcomes.get("answered"), plan.answered_at_phones),
        ("answered = dispositions", found.outcomes.get("answered"), sum(found.dispositions.values())
         - found.dispositions.get(figures_store.NONE_YET, 0)),
        ("every call has its ticket", found.tickets, found.calls),
        ("every call has its recording", found.recordings, {"archived": found.calls}),
        ("forwardings <= what was true", sum(forwarded.values()) <= true, True),
        ("every forwarding was acknowledged at the agency", sum(forwarded.values()), receipts),
        ("calls, counted twice", found.calls, second.calls),
        ("outcomes, counted twice", found.outcomes, dict(second.outcomes)),
        ("dispositions, counted twice", found.dispositions, dict(second.dispositions)),
        ("tickets by lifecycle, counted twice", found.lifecycles, dict(second.lifecycles)),
        ("tickets by verification, counted twice", found.verifications, dict(second.verifications)),
        ("forwardings, counted twice", dict(forwarded), dict(second.forwardings)),
    ]
    print("\nDo they add up?")
    for what, one, other in checks:
        print(f"  {'✓' if one == other else '✗'} {what}: {one}" + ("" if one == other else f", but {other}"))
    return all(one == other for _, one, other in checks)
