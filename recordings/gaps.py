"""Which stretches of a call its recording lacks. ◆

Asterisk writes nothing while no sound flows, and a full disk ends a file without a word: so the length of the
file is held against the call's own length in the journal, and what is missing becomes a row that says so.
"""
from dataclasses import dataclass

#: seconds that a file may be shorter than its call without a word
TOLERANCE = 0.5


@dataclass(frozen=True)
class Gap:
    """A stretch without sound, in seconds from the recording's start."""
    from_s: float
    to_s: float
    why: str


def gaps(starts: float, ends: float, length: float) -> list[Gap]:
    """What a file of `length` seconds lacks of a call that the journal saw from `starts` to `ends` (seconds).

    The file does not tell where in the call sound was missing; the stretch is put at its end and the words
    say so.
    """
    call = ends - starts
    if call - length <= TOLERANCE:
        return []
    if length <= 0:
        return [Gap(0.0, call, f"nothing was recorded: 0.0 of {call:.1f} s")]
    return [Gap(length, call, f"{length:.1f} of {call:.1f} s were recorded; what is missing may lie anywhere in "
                              "the call where no sound flowed")]
