"""routing ◆ Who is asked, too, when somebody waits too long: a table by service, the admin's. Pure.

By seconds since the call's arrival: first every operator whatever their skills (WIDEN: `policy.match` does it), then
the supervisors' phones, then outside numbers. Who was asked in vain is asked again after a pause, as long as they wait.
"""
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from routing.policy import ANY

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,30}$")]
Number = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9]{2,20}$")]


class Kind(StrEnum):
    """Who is asked; the words stand in the journal as they are."""

    WIDEN = "widen"
    SUPERVISORS = "supervisors"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Step:
    """Asked once somebody has waited for `after` seconds."""

    kind: Kind
    after: float
    names: tuple[str, ...] = ()     #: of outside numbers, in the order in which they are rung


@dataclass(frozen=True, slots=True)
class Due:
    """The next step, and in how many seconds."""

    step: Step
    wait_for: float


@dataclass(frozen=True)
class Table:
    """Steps by topic, in their order; the endpoints of outside numbers by name."""

    services: Mapping[str, tuple[Step, ...]]
    outside: Mapping[str, str]
    again_after: float              #: seconds from one round to the next

    def steps(self, topic: str) -> tuple[Step, ...]:
        """Those of the topic, or of any."""
        return self.services.get(topic) or self.services.get(ANY, ())

    def outside_of_any(self) -> list[str]:
        """The endpoints that are rung for a call of any service, once each, in their order."""
        names = [name for step in self.services.get(ANY, ()) if step.kind is Kind.OUTSIDE for name in step.names]
        return [self.outside[name] for name in dict.fromkeys(names)]

    def widen_after(self, topic: str) -> float | None:
        """Seconds; None: the table does not say."""
        return next((step.after for step in self.steps(topic) if step.kind is Kind.WIDEN), None)


def next_step(table: Table, topic: str, waited: float, done: int) -> Due | None:
    """After `done` steps, of somebody who has waited for so many seconds. None: there is nobody more to ask.

    Widened once is widened for good; the other steps come again, round by round.
    """
    steps = table.steps(topic)
    if done < len(steps):
        return Due(steps[done], max(0.0, steps[done].after - waited))
    again = [step for step in steps if step.kind is not Kind.WIDEN]
    if not again:
        return None
    nth = (done - len(steps)) % len(again)
    return Due(again[nth], 0.0 if nth else table.again_after)


class TableError(ValueError):
    """A table that cannot be used; the text says where and why."""


class _Service(msgspec.Struct, forbid_unknown_fields=True):
    widen: Seconds | None = None
    supervisors: Seconds | None = None
    outside: Seconds | None = None
    numbers: list[str] = []


class _File(msgspec.Struct, forbid_unknown_fields=True):
    services: dict[str, _Service]
    again_after: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    dial: Annotated[str, msgspec.Meta(pattern=r"^PJSIP/[^ ]*\{number\}[^ ]*$")] = "PJSIP/{number}@trunk"
    outside: dict[Name, Number] = {}


def parse(text: str, where: str) -> Table:
    """The table that the file's text says. Raises TableError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise TableError(f"{where}: {wrong}") from None
    for topic, service in file.services.items():
        if unknown := [name for name in service.numbers if name not in file.outside]:
            raise TableError(f"{where}: services.{topic}: {unknown[0]} is not among the names under [outside]")
    return Table(
        {topic: _steps(service) for topic, service in file.services.items()},
        {name: file.dial.replace("{number}", number) for name, number in file.outside.items()}, file.again_after)


def _steps(service: _Service) -> tuple[Step, ...]:
    steps = [Step(kind, after, names) for kind, after, names in (
        (Kind.WIDEN, service.widen, ()), (Kind.SUPERVISORS, service.supervisors, ()),
        (Kind.OUTSIDE, service.outside if service.numbers else None, tuple(service.numbers))) if after is not None]
    return tuple(sorted(steps, key=lambda step: step.after))
