"""Where a recording lies: names only of characters that cannot leave their folder. ◆

Raw files stand in the spool under their call's id; archives in a folder per day (UTC), so that no folder
grows without end and a day can be looked at, copied or deleted as one.
"""
import re
from datetime import UTC, datetime

_SAFE = re.compile(r"[0-9A-Za-z.-]+")


def raw_name(name: str) -> str:
    """`name` itself when it is that of a raw file in the spool; ValueError otherwise."""
    if not (_SAFE.fullmatch(name) and name.endswith(".raw")):
        raise ValueError(f"not the name of a raw recording: {name!r}")
    return name


def archive_names(call_id: str, starts_at: datetime) -> tuple[str, str]:
    """Archive and peaks of a call below the archive's root, e.g. "2026/11/22/1763800000.12.ogg"."""
    if not _SAFE.fullmatch(call_id):
        raise ValueError(f"not a call id: {call_id!r}")
    stem = f"{starts_at.astimezone(UTC):%Y/%m/%d}/{call_id}"
    return f"{stem}.ogg", f"{stem}.peaks.json"
