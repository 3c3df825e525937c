"""calls ◆ Silent calls: what to do about a waiting caller of whom nothing is heard. Pure.

Whoever pressed a key, in the menu or later, has told us that they are there and is never asked. Anybody else who is
silent for a while is asked, twice, to press a key or to make a sound. A sign of life puts the call before those that
gave none; no sign changes nothing but that the operator is told to listen. Nothing here ends a call.
"""
from dataclasses import dataclass
from enum import Enum, auto
from math import inf

#: So often a caller is asked.
TWICE = 2
#: The priority of whoever gave a sign when asked: above every choice of the menu (0 to 9).
RAISED = 10
#: What a key says in answer to our question.
SAYS = {"1": "police", "2": "fire", "3": "ambulance", "4": "yes", "5": "no"}
#: The topics of those answers that name a service.
TOPICS = {"police": "police", "fire": "fire", "ambulance": "medical"}


class Todo(Enum):
    """What to do now."""

    WAIT = auto()
    ASK = auto()
    RAISE = auto()          #: they gave a sign, by a voice or by the key that is the answer
    LISTEN = auto()         #: they gave none: whoever gets the call is told


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds; settings of the administrator's."""

    silent_for: float = 8.0     #: nothing heard for so long, and the caller is asked
    answer_for: float = 4.0     #: after each question


@dataclass(frozen=True, slots=True)
class Asked:
    """What was done about a caller's silence so far."""

    times: int = 0
    at: float = inf             #: when the last question began: seconds of the clock by which the caller is heard
    heard: bool = False         #: they gave a sign after it
    answered: bool = False      #: that, and by a key: nothing is left to find out
    silent: bool = False        #: they gave none so far, which is noted

    def is_open(self) -> bool:
        """Whether the next key is the answer to our question."""
        return self.times > 0 and not self.answered


def todo(asked: Asked, key_at: float, voice_at: float, since: float, now: float, times: Times) -> tuple[Todo, float]:
    """What to do now, and in how many seconds to look again if nothing is heard until then.

    `key_at`: when the last key was pressed (-inf: none); `voice_at`: when a voice was heard last (-inf: never;
    inf: one is heard now); `since`: when the caller began to wait, now or again.
    """
    if not asked.times:
        if key_at > -inf:
            return Todo.WAIT, inf
        left = max(since, voice_at) + times.silent_for - now
        return (Todo.ASK, 0.0) if left <= 0 else (Todo.WAIT, left)
    if asked.is_open() and (key_at >= asked.at or (voice_at >= asked.at and not asked.heard)):
        return Todo.RAISE, 0.0
    if asked.heard or asked.silent:
        return Todo.WAIT, inf
    if (left := asked.at + times.answer_for - now) > 0:
        return Todo.WAIT, left
    return (Todo.ASK, 0.0) if asked.times < TWICE else (Todo.LISTEN, 0.0)
