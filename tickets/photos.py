"""tickets ◆ What kind of file this is, by what stands in it and not by what it is called. Pure.

Photos are really decoded: what only begins like one, was cut off, or would swell beyond measure, is refused. They are
kept as they were sent, their place and time of taking included: they are evidence.
"""

import io
import warnings

from PIL import Image

#: of a photo, width times height: above every telephone's ordinary photo, and 150 MB when unpacked
MOST_PIXELS = 50_000_000

_PHOTOS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
#: what Pillow calls a JPEG with a smaller one behind it, as telephones make them
_FOUND = _PHOTOS | {"MPO": "image/jpeg"}
#: of what we keep, each with the ending of its file's name
ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/pdf": "pdf", "audio/ogg": "ogg",
    "audio/wav": "wav",
}  # fmt: skip


class NotKept(ValueError):
    """Not a file of a kind that is kept."""


class Damaged(ValueError):
    """It begins like a photo or document and is none."""


def media_type(data: bytes) -> str:
    """One of ENDINGS. Raises NotKept, Damaged: the text is for the sender. Takes up to a second for a big photo."""
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or _riff(data) == b"WEBP":
        return _photo(data)
    if data.startswith(b"%PDF-"):
        if b"%%EOF" not in data[-1024:]:
            raise Damaged("the PDF document is cut off: its end is missing; send it again")
        return "application/pdf"
    if data.startswith(b"OggS"):
        return "audio/ogg"
    if _riff(data) == b"WAVE":
        return "audio/wav"
    raise NotKept("what can be attached: a photo (JPEG, PNG, WebP), a PDF document, sound (Ogg, WAV); this is none")


def _riff(data: bytes) -> bytes:
    return data[8:12] if data.startswith(b"RIFF") else b""


def _photo(data: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: we have our own measure
            with Image.open(io.BytesIO(data), formats=list(_PHOTOS)) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                image.draft("L", (max(1, width // 8), max(1, height // 8)))  # a JPEG needs no more to be read whole
                image.load()
                return _FOUND[image.format or ""]
    except Image.DecompressionBombError:
        raise Damaged(f"the photo has more than {MOST_PIXELS:,} dots; send a smaller one") from None
    except Exception as wrong:  # whatever a decoder says of a hostile file: it is no photo
        raise Damaged("the photo cannot be decoded: it was cut off or is no photo; send it again") from wrong
