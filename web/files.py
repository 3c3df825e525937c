"""web: a file as an answer, whole or one range of its bytes (RFC 9110, section 14), read outside the event loop."""

import os
import re
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from web import problems

#: what the document says of ranges, beside the whole
RANGES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range of bytes that was asked for"},
    416: {"description": "There are not so many bytes"} | problems.DOCUMENTED,
}

_ONE_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<to>\d{0,18})|-(?P<last>\d{1,18}))", re.ASCII | re.IGNORECASE)


class Stored(FileResponse):
    """What RFC 9110 lets us ignore (several ranges, other units, rubbish, a range for HEAD or for another version of
    the file), we ignore: then it is sent whole. `sha256`, `size` (bytes): of the file; `filename`: for saving it."""

    def __init__(
        self, path: Path, *, sha256: str, size: int, media_type: str | None = None, filename: str | None = None,
        stat: os.stat_result | None = None,
    ) -> None:
        super().__init__(path, media_type=media_type or self.media_type, filename=filename, stat_result=stat,
                         headers={"etag": f'"{sha256}"'})
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if_range = headers.get("if-range")
        wanted = _ONE_RANGE.fullmatch(headers.get("range", ""))
        if scope["method"] != "GET" or if_range not in (None, self.headers["etag"]) or not wanted or _backwards(wanted):
            given = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
            await super().__call__({**scope, "headers": given}, receive, send)
        elif self._has(wanted):
            await super().__call__(scope, receive, send)
        else:
            refusal = problems.problem(
                416, "no-such-range", "There are not so many bytes", f"the file has {self._size} bytes",
                headers={"Content-Range": f"bytes */{self._size}"})
            await refusal(scope, receive, send)

    def _has(self, wanted: re.Match[str]) -> bool:
        return int(wanted["last"]) > 0 if wanted["first"] is None else int(wanted["first"]) < self._size


def _backwards(wanted: re.Match[str]) -> bool:
    return bool(wanted["to"]) and int(wanted["to"]) < int(wanted["first"])
