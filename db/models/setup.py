"""db: what the admin sets up before anybody reports: services and their forms, categories, places, agencies, and the
rules that propose one for a ticket.

Tickets name services, categories and areas by their codes, without a foreign key. What is not wanted any more is made
inactive, so that old tickets stay readable; only a rule is removed.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Service(Base):
    """What people can ask for: emergency, care for the elderly ... Each has its form, numbers and clock."""

    __tablename__ = "services"

    #: e.g. "emergency", "elder", "social-welfare"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: as people know it
    name: Mapped[str]
    #: before its tickets' numbers: "" or e.g. "L-"
    prefix: Mapped[str] = mapped_column(unique=True)
    #: the topics it knows
    topics: Mapped[list[str]]
    #: the version of its form that new entries are written against; None: it has no form of its own
    form_version: Mapped[int | None]
    #: an agency has so long to accept, seconds; None: no clock
    accept_for: Mapped[float | None]
    #: a report is handled so long after its arrival, seconds; None: no clock
    handle_for: Mapped[float | None]
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class Form(Base):
    """One version of a service's form; never changed, so that old entries stay readable."""

    __tablename__ = "forms"

    service: Mapped[str] = mapped_column(ForeignKey("services.code"), primary_key=True)
    #: from 1
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: JSON Schema, draft 2020-12, of an object
    schema: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]


class Category(Base):
    """What happened, finer than a topic, with the questions that an operator asks about it."""

    __tablename__ = "categories"

    #: e.g. "house-fire"
    code: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(ForeignKey("services.code"), index=True)
    topic: Mapped[str]
    name: Mapped[str]
    #: {"questions": [{"key", "text", "required"}, ...]}; answers to the required ones are A1's evidence
    script: Mapped[dict[str, Any]]
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class Area(Base):
    """A sub-district or a village, as the admin has imported them."""

    __tablename__ = "areas"

    #: the regency's code, e.g. "35.10.18" or "35.10.18.2003"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: subdistrict, village
    kind: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    #: of a village: its sub-district
    parent: Mapped[str | None] = mapped_column(ForeignKey("areas.code"), index=True)
    #: false: not offered any more, old tickets still name it
    active: Mapped[bool] = mapped_column(default=True)


class ForwardRule(Base):
    """Whom a ticket is proposed to; what is None fits all. Read by tickets/whom.py."""

    __tablename__ = "forward_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str | None] = mapped_column(ForeignKey("services.code"))
    topic: Mapped[str | None]
    #: a sub-district (with all its villages) or a village
    area: Mapped[str | None] = mapped_column(ForeignKey("areas.code"))
    #: local wall time "HH:MM", the first minute
    starts: Mapped[str | None]
    #: local wall time "HH:MM", the first minute that is no longer in it
    ends: Mapped[str | None]
    agency_id: Mapped[int] = mapped_column(ForeignKey("agencies.id"))


class Agency(Base):
    """Who must act: fire, ambulance, police ..."""

    __tablename__ = "agencies"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: short name, e.g. "damkar"
    code: Mapped[str] = mapped_column(unique=True)
    #: name as people know it
    name: Mapped[str]
    #: where reports are posted; without one they wait and are shown
    url: Mapped[str | None]
    #: Standard Webhooks signing secret, "whsec_" and base64
    secret: Mapped[str | None]
    #: topics it is proposed for
    topics: Mapped[list[str]]
    #: whom an operator telephones there, e.g. "+62 555 0113"
    phone: Mapped[str | None]
    #: false: not proposed any more, history stays
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1, server_default="1")
