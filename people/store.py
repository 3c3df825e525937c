"""people: the SQL of this room: users with their tokens, and the operators' rows that follow them.

Nothing is remembered between two questions: whoever was deactivated or got another role a moment ago is asked for anew.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import Agency, Base, Operator, Token, User
from people.person import Person
from people.rights import Role
from people.rules import NAME
from people.tokens import hash_of

#: the kind of thing that a user is, in the audit
AUDITED = "user"


class Unknown(LookupError):
    """There is no such user, token or agency."""


@dataclass(frozen=True)
class Known:
    """A user, with what is known beside the row."""

    user: User
    #: that open a door now
    tokens: int
    #: of an operator, or somebody who was one
    skills: list[str] | None


# doors

#: of users: who is let in at all
_LET_IN = (
    User.active,
    (User.role != Role.AGENCY) | exists().where(Agency.code == User.agency, Agency.active),
)


async def person_of(sessions: async_sessionmaker[AsyncSession], token: str, now: datetime) -> Person | None:
    """Whose token it is; None if nobody's, if it was revoked or is past its time, or if they or their agency are
    deactivated."""
    wanted = (
        select(User.name, User.role, User.agency)
        .join(Token, Token.user == User.name)
        .where(Token.hash == hash_of(token), Token.revoked_at.is_(None), *_LET_IN)
        .where(Token.expires_at.is_(None) | (Token.expires_at > now))
    )
    async with reading_session(sessions) as session:
        found = (await session.execute(wanted)).one_or_none()
    return Person(found.name, Role(found.role), found.agency) if found is not None else None


async def password_of(sessions: async_sessionmaker[AsyncSession], name: str) -> tuple[Person, str] | None:
    """Who has this name, and what is kept of their password; None if nobody who is let in has one."""
    if not _is_name(name):
        return None
    wanted = select(User.role, User.agency, User.password).where(User.name == name, *_LET_IN)
    async with reading_session(sessions) as session:
        found = (await session.execute(wanted)).one_or_none()
    if found is None or found.password is None:
        return None
    return Person(name, Role(found.role), found.agency), found.password


# reading


async def users(
    session: AsyncSession, now: datetime, *, role: Role | None = None, active: bool | None = None, after: str = "",
    limit: int | None = None,
) -> Sequence[Known]:
    """By name, those after the name `after`; of one role, active or not, where that is asked for."""
    wanted = _known(now).where(User.name > after).order_by(User.name).limit(limit)
    if role is not None:
        wanted = wanted.where(User.role == role)
    if active is not None:
        wanted = wanted.where(User.active == active)
    return [Known(*row) for row in (await session.execute(wanted)).all()]


async def supervisors(session: AsyncSession) -> list[str]:
    """Names of the active ones, in order: their phones ring when callers wait too long."""
    wanted = select(User.name).where(User.role == Role.SUPERVISOR, User.active).order_by(User.name)
    return list(await session.scalars(wanted))


async def user(session: AsyncSession, name: str, now: datetime) -> Known:
    """Raises Unknown."""
    row = (await session.execute(_known(now).where(User.name == name))).one_or_none() if _is_name(name) else None
    if row is None:
        raise _unknown(name)
    return Known(*row)


async def tokens_of(session: AsyncSession, name: str) -> Sequence[Token]:
    """All that the user ever had, the newest first. Raises Unknown."""
    if not _is_name(name) or await session.get(User, name) is None:
        raise _unknown(name)
    return (await session.scalars(select(Token).where(Token.user == name).order_by(Token.id.desc()))).all()


def _known(now: datetime) -> Select[User, int, list[str] | None]:
    live = select(func.count()).where(Token.user == User.name, Token.revoked_at.is_(None))
    live = live.where(Token.expires_at.is_(None) | (Token.expires_at > now))
    return select(User, live.scalar_subquery(), Operator.skills).outerjoin(Operator, Operator.name == User.name)


# changing: part of a transaction that its owner commits


async def for_change(session: AsyncSession, name: str) -> tuple[User, int]:
    """The user, held until the transaction ends, and how many other active admins there are. Raises Unknown.

    The admins are held as well (all who change somebody take the same rows in the same order): two who dismiss one
    another would leave none.
    """
    is_admin = (User.role == Role.ADMIN) & User.active
    wanted = select(User).where((User.name == name) | is_admin).order_by(User.name).with_for_update()
    rows = (await session.scalars(wanted)).all() if _is_name(name) else []
    held = [row for row in rows if row.name == name]
    if not held:
        raise _unknown(name)
    return held[0], len(rows) - 1


async def add(session: AsyncSession, name: str, **values: Any) -> User | None:
    """The new user; None if there is one of that name."""
    new = _insert(await session.connection(), User).values(name=name, version=1, **values)
    made = await session.execute(new.on_conflict_do_nothing().returning(User.name))
    return await session.get_one(User, name) if made.first() is not None else None


async def operator_follows(
    session: AsyncSession, user: User, skills: Sequence[str] | None
) -> tuple[list[str] | None, list[str] | None]:
    """The operator's row as the user is now, made if need be; `skills` None: they stay. Skills before and after."""
    row = await session.get(Operator, user.name, with_for_update=True)
    answers = user.active and user.role == Role.OPERATOR
    if row is None and not answers:
        return None, None
    before = row.skills if row is not None else None
    if row is None:
        row = Operator(name=user.name, skills=[])
        session.add(row)
    row.display_name, row.active = user.display_name, answers
    if skills is not None:
        row.skills = sorted(set(skills))
    await session.flush()
    return before, row.skills


async def agency_works(session: AsyncSession, code: str) -> bool:
    """Whether there is an active agency of that code."""
    return await session.scalar(select(Agency.id).where(Agency.code == code, Agency.active)) is not None


async def revoke(session: AsyncSession, name: str, now: datetime, token_id: int | None) -> Sequence[int]:
    """Ids of the user's tokens that were not revoked before; `token_id`: only this one."""
    ended = update(Token).where(Token.user == name, Token.revoked_at.is_(None)).values(revoked_at=now)
    if token_id is not None:
        ended = ended.where(Token.id == token_id)
    return sorted((await session.scalars(ended.returning(Token.id))).all())


def _is_name(name: str) -> bool:
    """What else is asked for may hold what no database stores."""
    return re.fullmatch(NAME, name) is not None


def _unknown(name: str) -> Unknown:
    return Unknown(f"there is no user {name}" if _is_name(name) else "there is no user of that name")


def _insert(connection: Connection | AsyncConnection, table: type[Base]) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


# a new house


def seed(connection: Connection, now: datetime) -> None:
    """A user of the operator's name for every operator without one. Two at once are harmless.

    It seals the audit: the last statement of the transaction. From asyncio: `await connection.run_sync(seed, now)`.
    """
    without = (
        select(Operator.name, Operator.display_name, Operator.active)
        .outerjoin(User, User.name == Operator.name)
        .where(User.name.is_(None))
        .order_by(Operator.name)
    )
    trail = Trail()
    for name, said, active in connection.execute(without).all():
        row = {"display_name": said, "role": Role.OPERATOR, "agency": None}
        more = {"name": name, "active": active, "created_at": now, "version": 1}
        new = _insert(connection, User).values(row | more).on_conflict_do_nothing().returning(User.name)
        if connection.execute(new).first() is not None:
            trail.add(Entry(now, "kentongan", AUDITED, name, "added", None, row, "an operator without a user"))
    trail.seal(connection)
