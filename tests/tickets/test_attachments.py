"""Files of a ticket: looked into, kept once, whole, as they were sent; what is no photo leaves no trace."""

import asyncio
import hashlib
import io
import os
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.tickets.conftest import NOW
from tickets import attachments, extras_store, photos
from tickets.attachments import Full, NoPlace, Shelf
from tickets.photos import Damaged, NotKept
from tickets.store import Unknown


def photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), colour: int = 120) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (colour, 40, 40)).save(out, kind)
    return out.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A small PNG that says it is so large."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100_000)))
            + chunk(b"IEND", b""))


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
OGG = b"OggS\0\x02" + bytes(40)
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)


@pytest.mark.parametrize(("data", "media_type"), [
    (photo("JPEG"), "image/jpeg"), (photo("PNG"), "image/png"), (photo("WEBP"), "image/webp"),
    (PDF, "application/pdf"), (OGG, "audio/ogg"), (WAV, "audio/wav")])
def test_a_file_is_what_stands_in_it(data: bytes, media_type: str) -> None:
    assert photos.media_type(data) == media_type


def with_preview(size: tuple[int, int] = (64, 48)) -> bytes:
    """A JPEG as telephones make it: with a smaller one behind it."""
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 12))])
    return out.getvalue()


def test_a_photo_with_a_preview_is_a_photo_and_measured_without_it() -> None:
    assert photos.media_type(with_preview()) == "image/jpeg"
    with pytest.raises(Damaged, match="more than 50,000,000 dots"):
        photos.media_type(with_preview((7_072, 7_072)))


@pytest.mark.parametrize("data", [
    b"", b"hello", b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a",
    b"RIFF\x24\0\0\0AVI ", b"\x7fELF", b"PK\x03\x04", b"BM" + bytes(60), b"%!PS-Adobe"])  # fmt: skip
def test_what_is_none_of_our_kinds_is_not_kept(data: bytes) -> None:
    with pytest.raises(NotKept, match=r"a photo .JPEG, PNG, WebP., a PDF document, sound"):
        photos.media_type(data)


@pytest.mark.parametrize("data", [
    b"\xff\xd8\xff\xe0<html>", b"\x89PNG\r\n\x1a\nrubbish", b"RIFF\x24\0\0\0WEBPVP8 rubbish",
    photo("JPEG", (800, 600))[:-400], photo("PNG", (800, 600))[:-40], photo("WEBP")[:-10], photo("JPEG")[:30],
    photo("PNG").replace(b"IDAT", b"IDAX"), PDF[:-8]], ids=range(9))  # fmt: skip
def test_a_photo_or_document_that_is_none_or_was_cut_off_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        photos.media_type(data)


@pytest.mark.parametrize("side", [7_072, 30_000])
def test_a_photo_that_would_swell_beyond_measure_is_not_unpacked(side: int) -> None:
    with pytest.raises(Damaged, match="more than 50,000,000 dots"):
        photos.media_type(bomb(side))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "attachments")


def files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "attachments").rglob("*") if path.is_file())


async def attached(desk, *ticket_ids: int) -> list[tuple[str, str]]:
    async with desk.sessions() as session:
        rows = await extras_store.attachments(session, ticket_ids, 50, None)
        return [(row.title, number) for row, number in rows]


async def test_a_file_is_kept_as_it_was_sent_under_the_digest_of_what_stands_in_it(desk, shelf, tmp_path) -> None:
    ticket_id, data = await desk.filled(), photo()
    row, new = await shelf.add(desk.sessions, ticket_id, data, " dapur.jpg ", by="op01", now=NOW)
    digest = hashlib.sha256(data).hexdigest()
    assert new
    assert (row.title, row.media_type, row.size, row.sha256) == ("dapur.jpg", "image/jpeg", len(data), digest)
    assert (row.who, row.at) == ("op01", NOW)
    [kept] = files(tmp_path)
    assert kept == shelf.path(digest) == tmp_path / "attachments" / digest[:2] / digest
    assert kept.read_bytes() == data
    assert kept.stat().st_mode & 0o777 == 0o640
    who, what, _, after, _ = (await desk.history(ticket_id))[-1]
    assert (who, what) == ("op01", "attachment")
    assert after == {"title": "dapur.jpg", "media_type": "image/jpeg", "sha256": digest}


async def test_the_same_file_again_is_the_one_that_is_there(desk, shelf, tmp_path) -> None:
    first, second = await desk.filled(), await desk.filled()
    row, _ = await shelf.add(desk.sessions, first, photo(), "a", by="op01", now=NOW)
    again, new = await shelf.add(desk.sessions, first, photo(), "b", by="op02", now=NOW)
    assert (again.id, again.title, new) == (row.id, "a", False)
    other, new = await shelf.add(desk.sessions, second, photo(), "c", by="op01", now=NOW)
    assert new
    assert other.id != row.id
    assert len(files(tmp_path)) == 1
    assert await attached(desk, first, second) == [("c", "2611-0002"), ("a", "2611-0001")]


async def test_the_same_file_twice_at_once_is_one(desk, shelf, tmp_path) -> None:
    ticket_id = await desk.filled()
    adding = (shelf.add(desk.sessions, ticket_id, photo(), "a", by="op01", now=NOW) for _ in range(4))
    assert sorted(new for _, new in await asyncio.gather(*adding)) == [False, False, False, True]
    assert len(files(tmp_path)) == 1
    assert len(await attached(desk, ticket_id)) == 1


@pytest.mark.parametrize("left", [None, b"cut"])
async def test_a_file_that_went_missing_or_was_cut_is_put_back_when_it_is_sent_again(desk, shelf, left) -> None:
    ticket_id, data = await desk.filled(), photo()
    row, _ = await shelf.add(desk.sessions, ticket_id, data, "a", by="op01", now=NOW)
    shelf.path(row.sha256).unlink()
    if left is not None:
        shelf.path(row.sha256).write_bytes(left)
    again, new = await shelf.add(desk.sessions, ticket_id, data, "b", by="op02", now=NOW)
    assert (again.id, new) == (row.id, False)
    assert (await shelf.whole(row.sha256, row.size)).read_bytes() == data


async def test_what_was_left_of_an_upload_that_was_killed_goes_after_a_day(desk, shelf, tmp_path) -> None:
    old, fresh = (tmp_path / "attachments" / f".arriving-{name}" for name in ("old", "fresh"))
    old.parent.mkdir()
    for path, age in ((old, 86_500), (fresh, 86_300)):
        path.write_bytes(b"half of it")
        os.utime(path, (time.time() - age,) * 2)
    row, _ = await shelf.add(desk.sessions, await desk.filled(), photo(), "a", by="op01", now=NOW)
    assert files(tmp_path) == sorted([fresh, shelf.path(row.sha256)])


async def test_a_ticket_takes_so_many_and_no_more(desk, shelf, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(attachments, "MOST", 3)
    ticket_id = await desk.filled()
    adding = [
        shelf.add(desk.sessions, ticket_id, photo("PNG", colour=number), "", by="op01", now=NOW) for number in range(5)
    ]
    done = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Full", "Full", "tuple", "tuple", "tuple"]
    assert len(files(tmp_path)) == 3
    with pytest.raises(Full, match="ticket 2611-0001 has 3 attachments already"):
        await shelf.add(desk.sessions, ticket_id, photo(colour=200), "", by="op01", now=NOW)


async def test_what_is_refused_leaves_no_file_no_row_and_no_history(desk, shelf, tmp_path) -> None:
    ticket_id = await desk.draft()
    before = await desk.history(ticket_id)
    for data, refusal in ((b"no", NotKept), (bomb(), Damaged), (bytes(attachments.LONGEST + 1), NotKept)):
        with pytest.raises(refusal):
            await shelf.add(desk.sessions, ticket_id, data, "x", by="op01", now=NOW)
    with pytest.raises(Unknown):
        await shelf.add(desk.sessions, 4711, photo(), "x", by="op01", now=NOW)
    assert files(tmp_path) == []
    assert await attached(desk, ticket_id) == []
    assert await desk.history(ticket_id) == before


async def test_where_no_file_can_be_kept_none_is_promised(desk, tmp_path) -> None:
    ticket_id = await desk.filled()
    (tmp_path / "attachments").write_text("a file where the folder should be")
    with pytest.raises(NoPlace, match="could not be kept"):
        await Shelf(tmp_path / "attachments").add(desk.sessions, ticket_id, photo(), "x", by="op01", now=NOW)
    (tmp_path / "attachments").unlink()
    shelf = Shelf(tmp_path / "attachments")
    shelf.path(hashlib.sha256(photo()).hexdigest()).parent.parent.mkdir()
    shelf.path(hashlib.sha256(photo()).hexdigest()).parent.write_text("in the way")
    with pytest.raises(NoPlace, match="could not be kept"):
        await shelf.add(desk.sessions, ticket_id, photo(), "x", by="op01", now=NOW)
    assert await attached(desk, ticket_id) == []
    assert [path.read_text() for path in files(tmp_path)] == ["in the way"]


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "/" * 64])
def test_no_name_leads_out_of_the_folder(shelf, name) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        shelf.path(name)


async def test_an_attachment_is_found_through_its_ticket_alone(desk, shelf) -> None:
    first, second = await desk.filled(), await desk.filled()
    row, _ = await shelf.add(desk.sessions, first, photo(), "", by="op01", now=NOW)
    assert row.title == f"{row.sha256[:8]}.jpg"
    async with desk.sessions() as session:
        assert (await extras_store.attachment(session, [first], row.id))[1] == "2611-0001"
        with pytest.raises(Unknown, match="no attachment"):
            await extras_store.attachment(session, [second], row.id)
