"""routing ◆ What a new house begins with: nine operators, three shifts, a week, five agencies. Pure: data.

Every shift has two operators, one of them at least trained for medical calls; nobody has more than five
shifts a week or less than 16 h between two; nights are shared. The admin changes all of it.
"""

from routing.roster import Duty, Shift

_ALL = ("fire", "police", "disaster", "social", "information")
_AND_MEDICAL = ("medical", *_ALL)

#: who and what they are trained for
OPERATORS = {
    "op01": _AND_MEDICAL,
    "op02": _AND_MEDICAL,
    "op03": _ALL,
    "op04": _AND_MEDICAL,
    "op05": _AND_MEDICAL,
    "op06": _ALL,
    "op07": _AND_MEDICAL,
    "op08": _AND_MEDICAL,
    "op09": _ALL,
}

SHIFTS = (
    Shift("pagi", "07:00", "15:00"),
    Shift("siang", "15:00", "23:00"),
    Shift("malam", "23:00", "07:00"),
)

#: Monday to Sunday: Pagi, Siang, Malam or - for a free day. A stretch of work only ever moves to later hours
_WEEK = {
    "op01": "-PPSMM-",
    "op02": "--PPSSM",
    "op03": "M---PPS",
    "op04": "PSSM---",
    "op05": "M--PSSM",
    "op06": "SMM---P",
    "op07": "PSMM--P",
    "op08": "SM--PPS",
    "op09": "-PSSMM-",
}
_BY_LETTER = {"P": "pagi", "S": "siang", "M": "malam"}

DUTIES = tuple(
    Duty(operator, _BY_LETTER[letter], weekday)
    for operator, week in _WEEK.items()
    for weekday, letter in enumerate(week)
    if letter != "-"
)

#: code, name, topics; an admin gives them address and secret
AGENCIES = (
    ("damkar", "Pemadam Kebakaran", ("fire",)),
    ("psc119", "PSC 119", ("medical",)),
    ("polres", "Polres", ("police",)),
    ("bpbd", "BPBD", ("disaster",)),
    ("dinsos", "Dinas Sosial", ("social",)),
)
