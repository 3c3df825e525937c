"""people: passwords: hashed with argon2id, checked in the same time whether or not there is such a user.

Hashing takes some 0.1 s of a processor and 64 MiB on purpose, in a thread: the event loop carries calls.
"""

import asyncio
import unicodedata
from functools import cache

from pwdlib import PasswordHash
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from people import store
from people.person import Person

_ARGON2 = PasswordHash.recommended()


async def hashed(password: str) -> str:
    """What is kept of it, with its salt and costs as one string."""
    return await asyncio.to_thread(_ARGON2.hash, _bytes(password))


async def person_with(sessions: async_sessionmaker[AsyncSession], name: str, password: str) -> Person | None:
    """Who has this name and password; None if nobody. The time it takes tells nothing of the name."""
    person, kept = await store.password_of(sessions, name) or (None, None)
    fits = await asyncio.to_thread(_fits, _bytes(password), kept)
    return person if fits else None


def _fits(password: bytes, kept: str | None) -> bool:
    nobodys = _nobodys()        # also when it is not needed, so that the first who asks waits alike
    return _ARGON2.verify(password, kept or nobodys) and kept is not None


@cache
def _nobodys() -> str:
    return _ARGON2.hash(b"")


def _bytes(password: str) -> bytes:
    """The same for the same letters, however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
