"""people ◆ Somebody who stands at a door: who they are and what they are. Pure."""

from dataclasses import dataclass

from people.rights import Role


@dataclass(frozen=True)
class Person:
    """Known by a token. `name` is what every change and the audit say."""

    name: str
    role: Role
    #: of a person with the role `agency`: code of theirs
    agency: str | None = None
