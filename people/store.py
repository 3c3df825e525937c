"""people: the SQL of this room: users with their tokens, and the operators' rows that follow them.

Nothing is remembered between two questions: whoever was deactivated or got another role a moment ago is asked for anew.
"""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import Operator, Token, User
from people.person import Person
from people.rights import Role
from people.tokens import hash_of

#: the kind of thing that a user is, in the audit
AUDITED = "user"


async def person_of(sessions: async_sessionmaker[AsyncSession], token: str, now: datetime) -> Person | None:
    """Whose token it is; None if nobody's, if it was revoked or is past its time, or if they are deactivated."""
    wanted = (
        select(User.name, User.role, User.agency)
        .join(Token, Token.user == User.name)
        .where(Token.hash == hash_of(token), Token.revoked_at.is_(None), User.active)
        .where(Token.expires_at.is_(None) | (Token.expires_at > now))
    )
    async with reading_session(sessions) as session:
        found = (await session.execute(wanted)).one_or_none()
    return Person(found.name, Role(found.role), found.agency) if found is not None else None


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
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    trail = Trail()
    for name, said, active in connection.execute(without).all():
        row = {"display_name": said, "role": Role.OPERATOR, "agency": None}
        more = {"name": name, "active": active, "created_at": now, "version": 1}
        new = connection.execute(insert(User).values(row | more).on_conflict_do_nothing().returning(User.name))
        if new.first() is not None:
            trail.add(Entry(now, "kentongan", AUDITED, name, "added", None, row, "an operator without a user"))
    trail.seal(connection)
