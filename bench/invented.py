"""Years of calls and tickets that never were ◆ Pure: the same seed, the same people.

Names are syllables, numbers lie in +62 555, texts have the lengths that operators write. Half of the
calls need no help, so that every other ticket goes to agencies; the last ones wait for somebody.
"""
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

AGENCIES = ("damkar", "psc119", "polres", "bpbd", "dinsos", "dinkes", "perkim", "puskesmas")
OPERATORS = tuple(f"op{number:02}" for number in range(1, 10))
SUBDISTRICTS = tuple(f"35.10.{number:02}" for number in range(1, 26))
VILLAGES = tuple(f"{parent}.{2000 + number}" for parent in SUBDISTRICTS for number in range(1, 10))
CATEGORIES = tuple(f"category-{number:02}" for number in range(1, 41))
TOPICS = ("medical", "fire", "police", "disaster", "social", "information", "any")
#: the word of one ticket in two thousand
RARE = "meledak"
#: a word of about every sixth ticket
COMMON = "kebakaran"
_BETWEEN = timedelta(minutes=14, seconds=24)       # 100 a day
_WHAT = (
    ("medical", "warga pingsan di teras rumah, sesak napas, sadar tetapi lemah"),
    ("medical", "ibu hamil risiko tinggi, kontraksi tiap lima menit, perlu ambulans"),
    ("medical", "kecelakaan sepeda motor, satu korban luka di kaki, lalu lintas tersendat"),
    ("fire", f"{COMMON} di dapur, api sudah merambat ke atap, penghuni di luar"),
    ("fire", f"{COMMON} lahan kering di tepi jalan, asap tebal, angin ke arah permukiman"),
    ("fire", "tabung gas bocor, bau menyengat, listrik sudah dimatikan"),
    ("police", "keributan di depan warung, beberapa orang membawa kayu"),
    ("police", "pencurian sepeda motor, pelaku lari ke arah selatan"),
    ("disaster", "pohon tumbang menutup jalan, kabel listrik ikut putus"),
    ("disaster", "banjir setinggi lutut, warga lanjut usia perlu dipindahkan"),
    ("social", "lansia hidup sendiri, dinding rumah miring, makanan tinggal sedikit"),
    ("information", "menanyakan alamat puskesmas yang buka malam hari"),
)  # fmt: skip
_MORE = (
    "Pelapor berada di lokasi.", "Dihubungi kembali, keterangan sama.", "Jalan masuk sempit, truk besar tidak bisa.",
    "Tetangga sudah membantu sejak pagi.", "Petugas desa diberi tahu.", "Patokan: sebelah utara masjid, gapura hijau.",
    "Korban tidak membawa kartu identitas.", "Diminta menunggu di tepi jalan.", "Tidak ada korban jiwa.",
)  # fmt: skip
_PLACES = ("Pasar", "Jalan", "Gang", "Dusun", "Perumahan", "Terminal", "Masjid", "SDN")
_SYLLABLES = ("ba", "di", "ka", "la", "ma", "ni", "pu", "ra", "sa", "ti", "wa", "yu", "je", "ngo", "tro", "sri")
_NOTES = ("arrived", "menu", "chosen", "queued", "offered", "talking", "ended", "disposition")
_LENGTHS = (0, 2, 9, 9, 9, 14, 110, 140)           # seconds after the arrival
_STATES = {"forwarded": "sent", "accepted": "accepted", "on_the_way": "on_the_way", "done": "done", "closed": "done"}


@dataclass
class Years:
    """Rows by their tables' names."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)


def agencies() -> Years:
    """Whom tickets were forwarded to."""
    years = Years()
    for number, code in enumerate(AGENCIES, 1):
        years.add("agencies", id=number, code=code, name=code.upper(), topics=[], active=True, version=1)
    return years


def years(count: int, until: datetime, at_once: int = 5_000) -> Iterator[Years]:
    """`count` calls with a ticket each, the last one just before `until`; so many at once."""
    chance, months = Random(112), dict[str, int]()
    for first in range(1, count + 1, at_once):
        piece = Years()
        for number in range(first, min(first + at_once, count + 1)):
            _one(piece, chance, number, until - (count + 1 - number) * _BETWEEN, months, recent=count - number < 200)
        yield piece
    counted = Years()
    for month, last in months.items():
        counted.add("ticket_numbers", series=month, last=last)
    yield counted


def a_name(chance: Random) -> str:
    """Somebody who does not exist."""
    return " ".join("".join(chance.choices(_SYLLABLES, k=chance.randint(2, 3))).title() for _ in range(2))


def a_number(chance: Random) -> str:
    """One of 40,000; some call often."""
    return f"+62555{int(40_000 * chance.random() ** 1.5) * 211 + 1_000_000}"


def _one(years: Years, chance: Random, number: int, at: datetime, months: dict[str, int], recent: bool) -> None:
    call_id, caller = f"{at.timestamp():.0f}.{number}", a_number(chance) if chance.random() < 0.95 else None
    answered, topic_text = chance.random() < 0.93, chance.choice(_WHAT)
    topic = topic_text[0] if answered else "any"
    operator = chance.choice(OPERATORS) if answered else None
    disposition = chance.choices(("real", "information", "prank", "ghost", "advice only", "not our matter", "test"),
                                 (50, 15, 18, 10, 4, 2.9, 0.1))[0] if answered else None
    moment = _moments(at)
    years.add("calls", id=call_id, node="kentongan", caller_number=caller, stage="ended", topic=topic, pressed="1",
              outcome="answered" if answered else chance.choices(("abandoned", "handed back"), (9, 1))[0],
              arrived_at=at, answered_at=moment(2), queued_at=moment(9), offered_at=moment(9),
              talking_at=moment(14) if answered else None, ended_at=moment(110), operator=operator,
              disposition=disposition, disposed_at=disposition and moment(140), disposed_by=disposition and operator)
    for place, (kind, after) in enumerate(zip(_NOTES, _LENGTHS, strict=True)):
        years.add("notes", node="kentongan", seq=number * len(_NOTES) + place, call_id=call_id, at=moment(after),
                  kind=kind, facts={"topic": topic, "operator": operator})
    month = f"{at:%y%m}"
    months[month] = months.get(month, 0) + 1
    real = disposition == "real"
    lifecycle = _lifecycle(chance, real, answered, recent)
    village = chance.choice(VILLAGES) if real else None
    years.add(
        "tickets", id=number, number=f"{month}-{months[month]:04}", lifecycle=lifecycle, topic=topic,
        service=chance.choices(("emergency", "elder", "social-welfare"), (90, 7, 3))[0], source="call",
        verification=("a1" if real else "not_true") if lifecycle in _STATES else "open",
        category=chance.choice(CATEGORIES) if real else None, village=village,
        subdistrict=village and village.rpartition(".")[0], place=_place(chance) if real else None,
        narrative=_narrative(chance, topic_text[1]) if answered else None,
        reporter_name=a_name(chance) if real else None, reporter_number=caller,
        subject_name=a_name(chance) if real and chance.random() < 0.2 else None,
        subject_number=a_number(chance) if real and chance.random() < 0.05 else None,
        merged_into=number - 1 if number > 1 and chance.random() < 0.02 else None, answers={}, form={},
        due_at=at + timedelta(hours=4), created_at=at, updated_at=moment(140), verified_by=operator if real else None,
        evidence="Dihubungi kembali, keterangan sama." if real else None, version=4)
    years.add("call_tickets", call_id=call_id, ticket_id=number)
    if real and lifecycle in _STATES:
        for agency in chance.sample(range(1, len(AGENCIES)), chance.choice((1, 1, 2))):
            _forwarding(years, chance, number, agency, _STATES[lifecycle], moment(150))
        if chance.random() < 0.0005:
            _forwarding(years, chance, number, len(AGENCIES), "done", moment(150))    # whom hardly anybody needs


def _moments(at: datetime) -> Callable[[float], datetime]:
    return lambda after: at + timedelta(seconds=after)


def _lifecycle(chance: Random, real: bool, answered: bool, recent: bool) -> str:
    if not answered:
        return "draft" if recent else "closed"
    if recent:
        return chance.choice(("open", "forwarded", "accepted", "on_the_way", "done"))
    return "done" if real and chance.random() < 0.3 else "closed"


def _place(chance: Random) -> str:
    return f"{chance.choice(_PLACES)} {a_name(chance)} RT {chance.randint(1, 9)} RW {chance.randint(1, 9)}"


def _narrative(chance: Random, what: str) -> str:
    rare = f" Warga mendengar sesuatu {RARE}." if chance.random() < 0.0005 else ""
    seen_by = f" Saksi: {a_name(chance)}."
    return f"{what.capitalize()}. {' '.join(chance.sample(_MORE, chance.randint(2, 5)))}{seen_by}{rare}"


def _forwarding(years: Years, chance: Random, ticket: int, agency: int, state: str, at: datetime) -> None:
    number = len(AGENCIES) * ticket + agency
    years.add("forwardings", id=number, ticket_id=ticket, agency_id=agency, state=state, created_at=at, sent_at=at,
              accepted_at=at + timedelta(minutes=3) if state != "sent" else None, accepted_by=None)
    years.add("outbox", id=number, key=f"msg_{number}", forwarding_id=number, payload={"ticket": ticket}, due_at=at,
              attempts=1, state="sent", sent_at=at)
