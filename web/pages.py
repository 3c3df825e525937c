"""web ◆ The pages as HTML: the status page for whoever drops by, and the link by which an agency acknowledges. Pure.

Everything stands in the page itself: no script, no picture, no font from anywhere. Whatever comes from outside goes
through `escape`.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from html import escape
from typing import Any

from routing.desk import Desk
from routing.operators import OFFERED, PAUSED, TALKING, WRAP_UP
from web import words
from web.words import Words

STYLE = """
:root{--ink:#15231f;--soft:#52645e;--paper:#f5f3ec;--card:#fff;--line:#dcd8cb;--good:#0d6b4f;--mid:#8a5a00;--bad:#a3211c}
*{box-sizing:border-box;margin:0}
html{font-size:clamp(16px,1.25vw,28px)}
body{min-height:100vh;display:flex;flex-direction:column;background:var(--paper);color:var(--ink);line-height:1.35;
font-family:"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{width:100%;padding:1.1rem clamp(1rem,4vw,4rem)}
header{display:flex;justify-content:space-between;gap:1rem;font-weight:600}
header time{color:var(--soft);font-weight:400}
main{flex:1;display:flex;flex-direction:column;gap:1.4rem;padding-top:0}
.answer{border-radius:1.2rem;padding:1.9rem 2.4rem;color:#fff;background:var(--good)}
.answer.busy{background:var(--mid)}.answer.nobody,.answer.cut{background:var(--bad)}
.answer p{font-size:1.35rem;opacity:.92}
h1{font-size:clamp(2rem,4.1rem,6vw);line-height:1.1;letter-spacing:-.02em;margin:.25rem 0 .5rem;text-wrap:balance}
.figures{display:grid;grid-template-columns:repeat(4,1fr);gap:1.4rem}
.figure{background:var(--card);border:1px solid var(--line);border-radius:1.2rem;padding:1.3rem 1.7rem}
.figure b{display:block;font-size:5.4rem;line-height:1;font-weight:700;letter-spacing:-.03em}
.figure span{font-size:1.35rem}.figure small{display:block;font-size:1.25rem;color:var(--soft)}
.figure.late b{color:var(--bad)}
h2{font-size:1.05rem;font-weight:600;color:var(--soft);margin-bottom:.6rem}
ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.7rem}
li{display:flex;align-items:center;gap:.6rem;padding:.5rem 1.1rem .5rem .8rem;border-radius:2rem;font-size:1.15rem;
background:var(--card);border:1px solid var(--line)}
li:before{content:"";width:1rem;height:1rem;border-radius:50%;background:#b9b5a7}
li.free:before{background:#16a06f}li.talking:before{background:#2462c4}li.ringing:before{background:#d99000}
li.wrap_up:before{background:#8fb0e6}li.away:before{background:none;border:.2rem solid #b9b5a7}
footer{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.5rem 2rem;color:var(--soft);
border-top:1px solid var(--line)}
footer strong{color:var(--good);font-weight:600}footer strong.bad{color:var(--bad)}
a{color:inherit}
@media(max-width:800px){.figures{grid-template-columns:repeat(2,1fr);gap:.8rem}.answer{padding:1.4rem}
.figure{padding:1rem}.figure b{font-size:3.4rem}.figure span{font-size:1.1rem}}
.sheet,.narrow{max-width:42rem;margin:0 auto;flex:none}
.sheet h1{font-size:2rem;letter-spacing:0;margin:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:1.2rem;padding:1.6rem}
dt{color:var(--soft);font-size:.95rem;margin-top:1rem}dt:first-child{margin-top:0}
dd{font-size:1.2rem;white-space:pre-wrap;overflow-wrap:anywhere}
label{display:block;color:var(--soft);font-size:.95rem;margin-bottom:.3rem}
input{width:100%;font:inherit;font-size:1.15rem;padding:.7rem .9rem;border:1px solid #a9a594;border-radius:.6rem}
button{width:100%;margin-top:1rem;font:inherit;font-size:1.35rem;font-weight:600;padding:1.1rem;border:0;border-radius:.8rem;
background:var(--good);color:#fff;cursor:pointer}
button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid #2462c4;outline-offset:2px}
.done{background:#e3f1ea;border-color:#9ccbb6;font-size:1.2rem}
.unverified{background:#fbe6e4;border-color:var(--bad);font-size:1.2rem;overflow-wrap:anywhere}
"""
#: For the content security policy: this style and no other.
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: Seconds of waiting from which the figure turns red: 95 % shall be answered within them (NENA-STA-020).
LATE = 20


class Answer(StrEnum):
    """Is anybody answering?"""

    YES = auto()        # a desk is free
    BUSY = auto()       # nobody is free, but somebody is with a caller
    NOBODY = auto()
    CUT = auto()        # the exchange does not reach us; it rings the phones by itself


@dataclass(frozen=True)
class Status:
    """What the status page tells: no names, no numbers of callers."""

    answer: Answer
    on_shift: int
    ready: int
    talking: int
    waiting: int
    longest_wait: float         #: seconds
    seats: Sequence[str]        #: kinds of `seat`, of those on shift or in a call
    failing: Sequence[str]      #: names of checks


def status(desks: Iterable[Desk], waits: Sequence[float], failing: Sequence[str], *, claiming: bool) -> Status:
    """`waits`: seconds, of everybody in the queue. `claiming`: we take new calls."""
    shown = [desk for desk in desks if desk.on_shift or desk.state in (OFFERED, TALKING, WRAP_UP)]
    seats = [seat(desk) for desk in shown]
    kinds = Counter(seats)
    return Status(
        answer=_answer(kinds, cut="asterisk" in failing or not claiming), on_shift=sum(desk.on_shift for desk in shown),
        ready=kinds["free"], talking=kinds["talking"], waiting=len(waits), longest_wait=max([0.0, *waits]), seats=seats,
        failing=failing)


def _answer(kinds: Counter[str], cut: bool) -> Answer:
    if cut:
        return Answer.CUT
    if kinds["free"]:
        return Answer.YES
    return Answer.BUSY if kinds["talking"] or kinds["ringing"] or kinds["wrap_up"] else Answer.NOBODY


def seat(desk: Desk) -> str:
    """The desk as a visitor sees it; a word of `Words.seat`."""
    known = {OFFERED: "ringing", TALKING: "talking", WRAP_UP: "wrap_up", PAUSED: "paused"}
    return known.get(desk.state) or ("free" if desk.why_not_free() is None else "away")


def status_page(now: Status, at: datetime, w: Words) -> str:
    """`at`: the moment, in the zone in which it is to be told."""
    late = " late" if now.longest_wait > LATE else ""
    longest = f"{w.longest_wait} {_minutes(now.longest_wait)}" if now.waiting else w.nobody_waits
    seats = "".join(f'<li class="{kind}">{escape(w.seat[kind])}</li>' for kind in now.seats)
    look_at = ", ".join(escape(w.checks.get(name, name)) for name in now.failing)
    health = f'<strong class="bad">{w.look_at}</strong> {look_at}.' if look_at else f"<strong>{w.all_well}</strong>"
    return _page(w.code, w.title, f"""
<header><span>{w.title}</span><time>{at:%H.%M.%S} {escape(at.tzname() or "")}</time></header>
<main>
<section class="answer {now.answer}">
<p>{w.question}</p><h1>{w.headline[now.answer]}</h1><p>{w.explained[now.answer]}</p>
</section>
<section class="figures">
{_figure(now.on_shift, w.on_shift)}
{_figure(now.ready, w.ready)}
{_figure(now.talking, w.talking)}
{_figure(now.waiting, w.waiting, longest, late)}
</section>
<section><h2>{w.seats}</h2>{f"<ul>{seats}</ul>" if seats else f"<p>{w.no_seats}</p>"}</section>
</main>
<footer><span>{health}</span><span>{w.refreshed} · <a href="{w.other[0]}">{w.other[1]}</a></span></footer>
""", refresh=5)


def _figure(number: int, what: str, more: str = "", kind: str = "") -> str:
    return f'<div class="figure{kind}"><b>{number}</b><span>{what}</span><small>{more}</small></div>'


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


@dataclass(frozen=True)
class Report:
    """What an agency sees behind its link."""

    told: Mapping[str, Any]         #: a `tickets.told.told`
    agency_name: str
    accepted_at: datetime | None    #: in the zone in which it is to be told
    accepted_by: str | None


def report_page(report: Report, thanks: str = "") -> str:
    """The report, and the button that accepts it; no button once it was accepted. `thanks` stands above it all."""
    told = report.told
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _fields(told))
    return _page("id", f"Laporan {told['ticket']}", f"""
<header class="narrow"><span>{words.ID.title}</span><span>{escape(report.agency_name)}</span></header>
<main class="sheet">
<h1>{escape(thanks) or "Laporan untuk ditindaklanjuti"}</h1>
{_unverified(told)}<dl class="card">{listed}</dl>
{_BUTTON if report.accepted_at is None else _accepted(report)}
</main>
""")


def _fields(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what is known, in the order in which it is needed."""
    kind = (words.TOPICS.get(told["topic"], told["topic"]), told["category_name"] or told["category"])
    where = told["latitude"], told["longitude"]
    area = ", ".join(filter(None, (told["village"], told["subdistrict"])))
    about = ", ".join(filter(None, (told["subject_name"], told["subject_number"])))
    return [
        ("Nomor tiket", told["ticket"]),
        ("Jenis", ", ".join(filter(None, kind))),
        ("Tempat", told["place"] or "tidak disebutkan"),
        *([("Wilayah", area)] if area else []),
        *([("Koordinat", f"{where[0]:.6f}, {where[1]:.6f}")] if None not in where else []),
        ("Kejadian", told["narrative"] or "tidak disebutkan"),
        *([("Mengenai", about)] if about else []),
        *((one["name"], str(one["value"])) for one in (*told["answers"], *told["form"])),
    ]


def _unverified(told: Mapping[str, Any]) -> str:
    """Above everything else, for whoever goes there."""
    if not told["unverified"]:
        return ""
    by, why = escape(told["override"]["by"]), escape(told["override"]["why"])
    return (f'<p class="card unverified"><strong>BELUM TERVERIFIKASI (bukan A1).</strong> Diteruskan karena '
            f"keselamatan jiwa terancam, atas tanggung jawab {by}: {why}</p>")


_BUTTON = """<form class="card" method="post"><label for="by">Nama Anda (boleh kosong)</label>
<input id="by" name="by" maxlength="100" autocomplete="name"><button>Kami terima laporan ini</button></form>"""


def _accepted(report: Report) -> str:
    assert report.accepted_at is not None
    by = f" oleh {escape(report.accepted_by)}" if report.accepted_by else ""
    at = f"{report.accepted_at:%d-%m-%Y} pukul {report.accepted_at:%H.%M.%S} {report.accepted_at.tzname() or ''}"
    return f'<p class="card done">Laporan ini telah diterima pada {escape(at.strip())}{by}.</p>'


def wrong_link_page() -> str:
    """For a link that we did not make, or that was cut on its way."""
    return _page("id", "Tautan tidak dikenal", f"""
<header class="narrow"><span>{words.ID.title}</span></header>
<main class="sheet"><h1>Tautan ini tidak dikenal</h1>
<p class="card">Mungkin tautan terpotong saat disalin. Buka lagi dari pesan aslinya, atau hubungi pusat layanan 112.</p>
</main>
""")


def _page(language: str, title: str, body: str, refresh: int | None = None) -> str:
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh is not None else ""
    return (f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">{again}'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>")
