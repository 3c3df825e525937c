"""The table of rights, read as sentences."""

from people.rights import CHANGE, LISTEN, READ, RIGHTS, Resource, Role, may


def test_nothing_that_is_not_written_is_allowed() -> None:
    assert not may(Role.ADMIN, LISTEN, Resource.CALLS)


def test_whoever_sets_the_house_up_does_not_judge_reports_nor_hear_them() -> None:
    assert not may(Role.ADMIN, CHANGE, Resource.TICKETS)
    assert not may(Role.ADMIN, LISTEN, Resource.RECORDINGS)


def test_whoever_reviews_changes_nothing() -> None:
    assert not [resource for resource in Resource if may(Role.QA, CHANGE, resource)]


def test_an_agency_sees_tickets_and_nothing_else() -> None:
    assert [cell for cell, roles in RIGHTS.items() if Role.AGENCY in roles] == [(Resource.TICKETS, READ)]
