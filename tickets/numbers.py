"""tickets ◆ The number by which people call a ticket: "2611-0042", "L-2611-0007". Pure.

It is made to be said on a telephone: the service's letter, the month, then a count that begins anew with every month
and so stays short; two groups of digits with a pause between them, nothing that is to be spelled.
"""

import re
from datetime import datetime

_TYPED = re.compile(r"([A-Z]{0,4})[\s-]*(\d{4})[\s-]*(\d{1,8})")


def series(prefix: str, at: datetime) -> str:
    """What a number begins with; `prefix` is the service's. The month is that of `at`, in the zone of `at`."""
    return f"{prefix}{at:%y%m}"


def number(series: str, running: int) -> str:
    """The whole number; `running` counts from 1 and may outgrow its four digits."""
    return f"{series}-{running:04}"


def as_typed(text: str) -> str | None:
    """The number that somebody means who writes "l 2611 7" or "26110042"; None: that is no number."""
    found = _TYPED.fullmatch(text.strip().upper())
    if found is None:
        return None
    prefix = f"{found[1]}-" if found[1] else ""
    return number(f"{prefix}{found[2]}", int(found[3]))
