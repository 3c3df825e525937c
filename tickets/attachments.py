"""tickets: files that belong to a ticket: photos, documents, sound. Each lies once below `attachments/` in the data
folder, under the SHA-256 of what stands in it, whatever its sender called it.

First the file is on the disk, whole and synced; then its row is written. Whoever is killed in between leaves a file
that nothing points to, and never a row without its file. Nothing is altered: it is evidence. A file that was lost all
the same is put back by sending it again.
"""

import asyncio
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

from db.models import Attachment
from tickets import extras_store, photos
from tickets.edit import Sessions, editing
from tickets.lifecycle import DRAFT

log = logging.getLogger(__name__)

#: bytes of one file
LONGEST = 10_000_000
#: files of one ticket
MOST = 20
_ARRIVING = ".arriving-"
#: seconds after which no upload is under way any more, and what is left of it goes
_ABANDONED = 86_400


class Full(Exception):
    """The ticket has as many attachments as it may."""


class NoPlace(Exception):
    """The data folder took no file, or has lost one: the disk is full, or gone."""


class Shelf:
    """Where they lie. `root` is made when the first one comes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._one_at_a_time = asyncio.Semaphore(1)  #: a big photo takes 150 MB while it is looked into

    async def add(
        self, sessions: Sessions, ticket_id: int, data: bytes, title: str, *, by: str, now: datetime
    ) -> tuple[Attachment, bool]:
        """The attachment, and whether it is new: the same file again is the one that is there already.

        `title`: as its sender calls it, for people only. Raises store.Unknown, photos.NotKept, photos.Damaged, Full,
        NoPlace.
        """
        if len(data) > LONGEST:
            raise photos.NotKept(f"the file has {len(data)} bytes; at most {LONGEST} are kept")
        async with self._one_at_a_time:
            media_type, sha256 = await asyncio.to_thread(_look_into, data)
        async with self._arriving(data) as arrived, editing(sessions, ticket_id, by, now) as edit:
            if (there := await extras_store.same_file(edit.session, ticket_id, sha256)) is not None:
                if await asyncio.to_thread(_size, self.path(sha256)) != len(data):
                    await asyncio.to_thread(_keep, arrived, self.path(sha256))
                return there, False
            if await extras_store.number_of_attachments(edit.session, ticket_id) >= MOST:
                raise Full(f"ticket {edit.ticket.number} has {MOST} attachments already, and no more are taken")
            if edit.ticket.lifecycle == DRAFT:
                edit.take_up()
            row = Attachment(
                ticket_id=ticket_id, title=title.strip() or f"{sha256[:8]}.{photos.ENDINGS[media_type]}",
                media_type=media_type, size=len(data), sha256=sha256, at=now, who=by,
            )  # fmt: skip
            edit.session.add(row)
            edit.note("attachment", None, {"title": row.title, "media_type": media_type, "sha256": sha256})
            await asyncio.to_thread(_keep, arrived, self.path(sha256))
            return row, True

    async def whole(self, sha256: str, size: int) -> Path:
        """Where the file lies, if it lies there whole. Raises NoPlace."""
        path = self.path(sha256)
        if await asyncio.to_thread(_size, path) != size:
            log.error("attachment %s is missing from the data folder, or cut", sha256)
            raise NoPlace("the file is missing from the data folder, or cut; an admin finds its digest in the log")
        return path

    def path(self, sha256: str) -> Path:
        """Where the file lies. Raises ValueError for what is no SHA-256."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError("not a SHA-256 in lower-case hex")
        return self._root / sha256[:2] / sha256

    @asynccontextmanager
    async def _arriving(self, data: bytes) -> AsyncIterator[Path]:
        """The data as a file that is gone afterwards, unless it was kept."""
        arrived = await asyncio.to_thread(_write, self._root, data)
        try:
            yield arrived
        finally:
            _forget(arrived)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _look_into(data: bytes) -> tuple[str, str]:
    return photos.media_type(data), hashlib.sha256(data).hexdigest()


def _write(root: Path, data: bytes) -> Path:
    """A new file with this in it, synced, that only we and our group can read. Raises NoPlace."""
    arrived: Path | None = None
    try:
        root.mkdir(mode=0o750, parents=True, exist_ok=True)
        _sweep(root)
        handle, name = tempfile.mkstemp(prefix=_ARRIVING, dir=root)
        arrived = Path(name)
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o640)
            file.write(data)
            file.flush()
            os.fsync(handle)
    except OSError as fault:
        if arrived is not None:
            _forget(arrived)
        raise NoPlace(f"the file could not be kept ({fault.strerror}); /healthz tells how the disk is") from fault
    return arrived


def _keep(arrived: Path, place: Path) -> None:
    """Give the file its name, for good. One of that name holds the same. Raises NoPlace."""
    try:
        place.parent.mkdir(mode=0o750, exist_ok=True)
        arrived.rename(place)
        for folder in (place.parent, place.parent.parent):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as fault:
        raise NoPlace(f"the file could not be kept ({fault.strerror}); /healthz tells how the disk is") from fault


def _sweep(root: Path) -> None:
    """Take away what is left of uploads under which we were killed."""
    for left in root.glob(f"{_ARRIVING}*"):
        with suppress(FileNotFoundError):  # another upload has ended meanwhile
            if left.stat().st_mtime < time.time() - _ABANDONED:
                _forget(left)


def _forget(arrived: Path) -> None:
    arrived.unlink(missing_ok=True)
