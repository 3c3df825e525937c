"""calls ◆ Two books of the same calls, Asterisk's and ours: where do they differ? Pure.

For whoever checks that no call was lost.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field

from calls import lost
from telephony.cel import Account


@dataclass(frozen=True)
class Record:
    """What our book says of a call."""

    call_id: str
    ended: bool
    operator: str | None        #: who answered, as far as we know
    talked: bool                #: somebody has talked to the caller


@dataclass(frozen=True)
class Differences:
    """Ids of calls, in order; all empty: the books agree."""

    without_record: list[str] = field(default_factory=list)         #: in Asterisk's book, not in ours
    never_at_the_trunk: list[str] = field(default_factory=list)     #: in ours, not in Asterisk's
    without_end: list[str] = field(default_factory=list)            #: over for Asterisk, not for us
    going_on: list[str] = field(default_factory=list)               #: over for us, not for Asterisk
    answered_unseen: list[str] = field(default_factory=list)        #: a talk, or its operator, that we know nothing of

    def __bool__(self) -> bool:
        return any((self.without_record, self.never_at_the_trunk, self.without_end, self.going_on,
                    self.answered_unseen))


def compare(theirs: Iterable[Account], ours: Iterable[Record]) -> Differences:
    """`theirs`: of telephony.cel.accounts(), from a book that holds every call of `ours`."""
    accounts = {account.call_id: account for account in theirs}
    records = {record.call_id: record for record in ours}
    both = sorted(accounts.keys() & records.keys())
    return Differences(
        without_record=sorted(accounts.keys() - records.keys()),
        never_at_the_trunk=sorted(records.keys() - accounts.keys()),
        without_end=[name for name in both if accounts[name].ended_at is not None and not records[name].ended],
        going_on=[name for name in both if accounts[name].ended_at is None and records[name].ended],
        answered_unseen=[name for name in both if _unseen(accounts[name], records[name])])


def _unseen(account: Account, record: Record) -> bool:
    if lost.was_no_talk(account.talked_for):
        return False
    return not record.talked or (account.desk is not None and account.desk != record.operator)
