"""web: nobody overwrites what they have not seen: a thing's version goes out as ETag and comes back as If-Match.

A GET says `tag(response, ticket.version)`; a write takes `seen: Seen` and hands it to the room, which refuses another
one (`tickets.edit.Conflict`, here 412; RFC 9110). Without If-Match the answer is 428.
"""

from typing import Annotated

from fastapi import Depends, Header, Response

_IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", pattern=r'^"[0-9]{1,9}"$', description='The ETag of what you have seen, e.g. `"7"`')]


class Unseen(Exception):
    """A write that does not say which version its sender has seen."""

    def __init__(self) -> None:
        super().__init__('send the header If-Match with the ETag of what you have seen, e.g. If-Match: "7"; '
                         "so nobody overwrites what somebody else has written meanwhile")


class Stale(Exception):
    """Not the version that its sender has seen any more; nothing has changed."""

    def __init__(self) -> None:
        super().__init__("it was changed meanwhile; load it again and repeat what is still needed")


def tag(response: Response, version: int) -> None:
    """Let the answer say which version it tells of."""
    response.headers["ETag"] = f'"{version}"'


async def _seen_if_any(if_match: _IfMatch = None) -> int | None:
    return None if if_match is None else int(if_match.strip('"'))


async def seen(if_match: _IfMatch = None) -> int:
    """The version in If-Match. Raises Unseen."""
    if if_match is None:
        raise Unseen
    return int(if_match.strip('"'))


#: the version that the sender has seen
Seen = Annotated[int, Depends(seen)]
#: for a PUT that may also make something new
SeenIfAny = Annotated[int | None, Depends(_seen_if_any)]


def check(was_seen: int | None, version: int) -> None:
    """Raises Unseen or Stale, if `version` is not what was seen."""
    if was_seen is None:
        raise Unseen
    if was_seen != version:
        raise Stale
