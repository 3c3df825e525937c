"""people: adding and changing people, their tokens and passwords: one transaction each, told in the audit.

Neither token nor password nor a hash of them is ever told. What is refused has written nothing, not even in the audit.
Nobody remembers who is who: whoever was deactivated, or got another role, is so at their next question.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.models import Token, User
from people import passwords, rules, store, tokens
from people.rights import Role
from people.rules import Invalid

Sessions = async_sessionmaker[AsyncSession]


class Conflict(Exception):
    """Somebody else changed the user since they were read; nothing has changed."""


class Refused(Exception):
    """It is understood, but not possible as things stand; the text says why. Nothing has changed."""


@dataclass(frozen=True)
class Changes:
    """What of a user shall be otherwise; None: it stays as it is."""

    display_name: str | None = None
    role: Role | None = None
    #: needed when the role becomes `agency`; goes with it
    agency: str | None = None
    #: of an operator: topics
    skills: Sequence[str] | None = None
    #: False: their tokens are revoked, too
    active: bool | None = None


@dataclass
class _Edit:
    """A user in somebody's hand."""

    session: AsyncSession
    user: User
    who: str
    now: datetime
    why: str | None
    trail: Trail = field(default_factory=Trail)
    changed: bool = False

    def put(self, name: str, value: Any) -> None:
        """Change one field and tell it; the same value again is no change."""
        before = getattr(self.user, name)
        if before != value:
            self.tell(name, before, value)
            setattr(self.user, name, value)
            self.changed = True

    def tell(self, what: str, before: Any, after: Any) -> None:
        self.trail.add(Entry(self.now, self.who, store.AUDITED, self.user.name, what, before, after, self.why))

    async def new_token(self, days: int | None) -> str:
        token = tokens.token_of(secrets.token_bytes(tokens.CHANCE))
        ends = self.now + timedelta(days=days) if days is not None else None
        row = Token(user=self.user.name, hash=tokens.hash_of(token), created_at=self.now, expires_at=ends)
        self.session.add(row)
        await self.session.flush()
        self.tell("token", None, {"id": row.id, "expires_at": ends.isoformat() if ends is not None else None})
        return token

    async def revoke(self, token_id: int | None = None) -> int:
        revoked = await store.revoke(self.session, self.user.name, self.now, token_id)
        for one in revoked:
            self.tell("token", {"id": one}, None)
        return len(revoked)

    async def follow(self, skills: Sequence[str] | None) -> None:
        """Let the operator's row be as the user is."""
        before, after = await store.operator_follows(self.session, self.user, skills)
        if before != after:
            self.tell("skills", before, after)
            self.changed = True


async def add(
    sessions: Sessions, name: str, role: Role, who: str, now: datetime, *, display_name: str | None = None,
    agency: str | None = None, skills: Sequence[str] | None = None, expires_days: int | None = None,
) -> str:
    """The new user's token; an operator gets their row in `operators` as well.

    Raises Invalid, and Refused if the name is taken.
    """
    said = (display_name if display_name is not None else name).strip()
    rules.check_name(name)
    rules.check_display_name(said)
    rules.check_place(role, agency, skills_given=skills is not None)
    rules.check_lifetime(expires_days)
    async with sessions.begin() as session:
        await _check_agency(session, agency)
        row = {"display_name": said, "role": str(role), "agency": agency}
        user = await store.add(session, name, active=True, created_at=now, **row)
        if user is None:
            raise Refused(f"there is a user {name} already; a name is never given to somebody else")
        edit = _Edit(session, user, who, now, None)
        edit.tell("added", None, row)
        await edit.follow(skills)
        token = await edit.new_token(expires_days)
        await edit.trail.seal_in(session)
    return token


async def change(
    sessions: Sessions, name: str, changes: Changes, who: str, now: datetime, *, seen: int | None = None,
    why: str | None = None,
) -> None:
    """All of `changes` or nothing. `seen`: the version that `who` has read; None: it does not matter.

    Raises store.Unknown, Conflict, Invalid, and Refused for the last active admin.
    """
    async with _editing(sessions, name, who, now, seen, why) as edit:
        user, session = edit.user, edit.session
        role = changes.role if changes.role is not None else Role(user.role)
        stays = user.agency if role is Role.AGENCY else None
        agency = changes.agency if changes.agency is not None else stays
        rules.check_place(role, agency, skills_given=changes.skills is not None)
        if agency != user.agency:
            await _check_agency(session, agency)
        if changes.display_name is not None:
            rules.check_display_name(changes.display_name)
            edit.put("display_name", changes.display_name.strip())
        edit.put("role", str(role))
        edit.put("agency", agency)
        if changes.active is not None:
            edit.put("active", changes.active)
            if not changes.active:
                await edit.revoke()
        await edit.follow(changes.skills)


async def new_token(
    sessions: Sessions, name: str, who: str, now: datetime, *, expires_days: int | None = None
) -> str:
    """One more token; the others stay. Raises store.Unknown, Invalid, and Refused for who is deactivated."""
    rules.check_lifetime(expires_days)
    async with _editing(sessions, name, who, now) as edit:
        if not edit.user.active:
            raise Refused(f"{name} is deactivated, so a token would open nothing; activate {name} first")
        return await edit.new_token(expires_days)


async def revoke(
    sessions: Sessions, name: str, who: str, now: datetime, *, token_id: int | None = None, why: str | None = None
) -> int:
    """How many tokens open nothing from now on: all of the user's or the one; 0 if they did not before.

    Raises store.Unknown.
    """
    async with _editing(sessions, name, who, now, why=why) as edit:
        if token_id is not None and token_id not in [row.id for row in await store.tokens_of(edit.session, name)]:
            raise store.Unknown(f"{name} has no token {token_id}")
        return await edit.revoke(token_id)


async def set_password(sessions: Sessions, name: str, password: str, who: str, now: datetime) -> None:
    """Raises store.Unknown, and Invalid for one that is easy to guess."""
    rules.check_password(password, name)
    kept = await passwords.hashed(password)         # takes its time: before anything is held
    async with _editing(sessions, name, who, now) as edit:
        edit.tell("password", None if edit.user.password is None else "set", "set")
        edit.user.password = kept
        edit.changed = True


@asynccontextmanager
async def _editing(
    sessions: Sessions, name: str, who: str, now: datetime, seen: int | None = None, why: str | None = None
) -> AsyncIterator[_Edit]:
    async with sessions.begin() as session:
        user, other_admins = await store.for_change(session, name)
        if seen is not None and seen != user.version:
            raise Conflict(f"{name} was changed meanwhile (you saw version {seen}, it is at {user.version}); look "
                           "again and repeat what is still needed")
        was_admin = _is_admin(user)
        edit = _Edit(session, user, who, now, why)
        yield edit
        if was_admin and not _is_admin(user) and not other_admins:
            raise Refused(f"{name} is the last active admin: make somebody else admin first")
        if edit.changed:
            user.version += 1
        await edit.trail.seal_in(session)


async def _check_agency(session: AsyncSession, code: str | None) -> None:
    if code is not None and not await store.agency_works(session, code):
        raise Invalid("agency", "there is no active agency of that code")


def _is_admin(user: User) -> bool:
    return user.active and user.role == Role.ADMIN
