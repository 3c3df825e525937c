"""people ◆ Who may do what: one table, role × resource × verb, that every door reads and the tests walk. Pure.

What the table allows may be narrower still by whose thing it is: an operator changes the state of their own desk, an
agency sees what was forwarded to it. Those rules stand beside the table, in `web/access.py` and `tickets/told.py`.
"""

from enum import StrEnum, auto


class Role(StrEnum):
    """What somebody is to the service; the words stand in the database as they are."""

    OPERATOR = auto()
    SUPERVISOR = auto()
    ADMIN = auto()
    QA = auto()
    AGENCY = auto()


class Verb(StrEnum):
    """What somebody wants to do with a resource."""

    READ = auto()
    CHANGE = auto()  #: make, change, remove
    LISTEN = auto()  #: hear a recording
    COMMENT = auto()


class Resource(StrEnum):
    """What there is behind the doors."""

    CALLS = auto()  #: with their journal and disposition
    TICKETS = auto()
    NOTES = auto()  #: on tickets, for the house alone
    OVERRIDE = auto()  #: forwarding before A1: danger to life
    DESKS = auto()  #: operators' states
    RECORDINGS = auto()
    CALLBACKS = auto()
    DECISIONS = auto()  #: what becomes of a caller whom nobody reaches
    ROSTER = auto()
    AGENCIES = auto()
    SETUP = auto()  #: services, forms, categories, places, rules of forwarding
    USERS = auto()
    AUDIT = auto()
    EVENTS = auto()


OPERATOR, SUPERVISOR, ADMIN, QA, AGENCY = Role
READ, CHANGE, LISTEN, COMMENT = Verb
_DESK = frozenset({OPERATOR, SUPERVISOR})
_STAFF = _DESK | {ADMIN}

#: who may; whatever is not written here, nobody may
RIGHTS: dict[tuple[Resource, Verb], frozenset[Role]] = {
    (Resource.CALLS, READ): _STAFF | {QA},
    (Resource.CALLS, CHANGE): _DESK,
    (Resource.TICKETS, READ): _STAFF | {QA, AGENCY},
    (Resource.TICKETS, CHANGE): _DESK,
    (Resource.NOTES, READ): _STAFF | {QA},
    (Resource.NOTES, CHANGE): _DESK,
    (Resource.OVERRIDE, CHANGE): _DESK,
    (Resource.DESKS, READ): _STAFF | {QA},
    (Resource.DESKS, CHANGE): _DESK,
    (Resource.RECORDINGS, READ): frozenset({SUPERVISOR, QA}),
    (Resource.RECORDINGS, LISTEN): frozenset({SUPERVISOR, QA}),
    (Resource.RECORDINGS, COMMENT): frozenset({SUPERVISOR, QA}),
    (Resource.CALLBACKS, READ): _STAFF,
    (Resource.CALLBACKS, CHANGE): _DESK,
    (Resource.DECISIONS, CHANGE): frozenset({SUPERVISOR}),
    (Resource.ROSTER, READ): _STAFF | {QA},
    (Resource.ROSTER, CHANGE): frozenset({ADMIN}),
    (Resource.AGENCIES, READ): _STAFF | {QA},
    (Resource.AGENCIES, CHANGE): frozenset({ADMIN}),
    (Resource.SETUP, READ): _STAFF | {QA},
    (Resource.SETUP, CHANGE): frozenset({ADMIN}),
    (Resource.USERS, READ): frozenset({ADMIN}),
    (Resource.USERS, CHANGE): frozenset({ADMIN}),
    (Resource.AUDIT, READ): frozenset({ADMIN}),
    (Resource.EVENTS, READ): _STAFF,
}


def may(role: Role, verb: Verb, resource: Resource) -> bool:
    """Whether the table allows it."""
    return role in RIGHTS.get((resource, verb), frozenset())
