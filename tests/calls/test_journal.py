"""The journal: numbered at once, committed in groups, kept in its file while the database is away."""

import asyncio
import os
import resource
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calls import journal, journal_file
from calls.journal import Journal, LostCount, Note, read
from tests.waiting import until


class Away(Exception):
    """The database is not there."""


class Store:
    """A database that a test can unplug, and that counts its commits."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.commits: list[int] = []
        self.away = False
        self.unreachable = False
        self.tried = threading.Event()
        self.may_commit = threading.Event()
        self.may_commit.set()

    def last(self) -> int:
        if self.unreachable:
            raise Away
        return self.notes[-1].seq if self.notes else 0

    def commit(self, notes: Sequence[Note]) -> None:
        self.tried.set()
        assert self.may_commit.wait(10)
        if self.away:
            raise Away
        self.commits.append(len(notes))
        self.notes += notes

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "kentongan.jsonl"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was away is asked again at once."""
    monkeypatch.setattr(journal, "RETRY_AFTER", 0.01)


@asynccontextmanager
async def opened(path: Path, store: Store) -> AsyncIterator[Journal]:
    opened = Journal(path, store)
    opened.open()
    try:
        yield opened
    finally:
        store.may_commit.set()
        await opened.close()


async def tried(store: Store) -> None:
    """Until the writer has turned to the database."""
    assert await asyncio.to_thread(store.tried.wait, 10)
    store.tried.clear()


async def test_a_note_is_numbered_at_once_and_heard_before_it_is_written(path: Path, store: Store) -> None:
    store.may_commit.clear()
    async with opened(path, store) as notes:
        heard: list[Note] = []
        notes.listen(heard.append)
        before = datetime.now(UTC)
        notes.note("arrived", "c1", number=None)
        notes.note("desk")
        assert [(note.seq, note.kind, note.call_id) for note in heard] == [(1, "arrived", "c1"), (2, "desk", None)]
        assert before <= heard[0].at <= heard[1].at <= datetime.now(UTC)
        assert not store.notes
        assert notes.depth == 2
    assert store.notes == heard


async def test_what_comes_while_one_group_is_written_is_the_next_group(path: Path, store: Store) -> None:
    store.may_commit.clear()
    async with opened(path, store) as notes:
        notes.note("first")
        await tried(store)
        for n in range(500):
            notes.note(f"n{n}")
        await until(lambda: notes._to_database.qsize() == 500)
        store.may_commit.set()
        await notes.settled()
        assert store.commits == [1, 500]
        assert [note.seq for note in store.notes] == list(range(1, 502))
        assert notes.depth == 0


async def test_every_group_reaches_the_disk_by_one_sync(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    begun, may_sync = threading.Event(), threading.Event()
    real: Callable[[int], None] = os.fdatasync

    def fdatasync(file: int) -> None:
        begun.set()
        assert may_sync.wait(10)
        real(file)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    async with opened(path, store) as notes:
        notes.note("first")
        assert await asyncio.to_thread(begun.wait, 10)
        for n in range(100):
            notes.note(f"n{n}")
        may_sync.set()
        await notes.settled()
    assert [data.count(b"\n") for data in synced] == [1, 101]


async def test_a_note_is_in_the_file_before_the_database_is_asked(path: Path, store: Store) -> None:
    store.may_commit.clear()
    async with opened(path, store) as notes:
        notes.note("arrived", "c1", number="+62800555001")
        await tried(store)
        assert [note.kind for note in read(path)] == ["arrived"]
        assert not store.notes


async def test_while_the_database_is_away_notes_stay_and_come_in_once_and_in_order(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        for n in range(30):
            notes.note(f"n{n}")
            await asyncio.sleep(0)
        await tried(store)
        assert not store.notes
        assert notes.depth == 30
        store.away = False
        notes.note("last")
        await notes.settled()
    assert store.kinds == [f"n{n}" for n in range(30)] + ["last"]


async def test_a_closed_journal_gives_out_no_numbers(path: Path, store: Store) -> None:
    async with opened(path, store) as journal:
        journal.note("desk")
    with pytest.raises(RuntimeError, match="closed"):
        journal.note("desk")
    async with opened(path, store) as again:
        again.note("desk")
    assert [note.seq for note in store.notes] == [1, 2]


async def test_a_journal_closed_while_the_database_is_away_loses_nothing(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
        notes.note("two")
    assert [note.kind for note in read(path)] == ["one", "two"]
    store.away = False
    async with opened(path, store) as notes:
        await notes.settled()
        assert store.kinds == ["one", "two"]
        notes.note("three")
    assert [(note.seq, note.kind) for note in store.notes] == [(1, "one"), (2, "two"), (3, "three")]


async def test_notes_that_both_the_file_and_the_database_have_come_in_once(path: Path, store: Store) -> None:
    async with opened(path, store) as notes:
        notes.note("one")
        await notes.settled()
        store.away = True
        notes.note("two")
    store.away = False
    async with opened(path, store) as notes:
        await notes.settled()
    assert store.kinds == ["one", "two"]


async def test_a_line_cut_by_a_sudden_end_is_left_out_and_swallows_nothing(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
        notes.note("two")
    path.write_bytes(path.read_bytes()[:-9])
    store.away = False
    async with opened(path, store) as notes:
        notes.note("after")
        await notes.settled()
    assert [(note.seq, note.kind) for note in store.notes] == [(1, "one"), (2, "after")]
    assert [note.kind for note in read(path)] == ["one", "after"]


async def test_numbers_continue_after_a_restart_with_an_empty_file(path: Path, store: Store) -> None:
    async with opened(path, store) as notes:
        notes.note("one")
        notes.note("two")
    path.unlink()
    async with opened(path, store) as notes:
        notes.note("three")
    assert [note.seq for note in store.notes] == [1, 2, 3]


async def test_numbers_continue_after_those_that_only_the_file_has(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
    async with opened(path, store) as notes:
        notes.note("two")
    assert [(note.seq, note.kind) for note in read(path)] == [(1, "one"), (2, "two")]


async def test_a_file_grown_large_is_begun_anew_once_the_database_has_it(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "BEGIN_ANEW_AT", 1000)
    async with opened(path, store) as notes:
        store.away = True
        for n in range(50):
            notes.note(f"n{n}")
        await until(lambda: path.exists() and len(read(path)) == 50)
        store.away = False
        await notes.settled()
        notes.note("after")
        await notes.settled()
        assert [note.kind for note in read(path)] == ["after"]
    assert [note.seq for note in store.notes] == list(range(1, 52))


async def test_while_the_database_hangs_notes_reach_the_file_all_the_same(path: Path, store: Store) -> None:
    store.may_commit.clear()
    async with opened(path, store) as notes:
        notes.note("one")
        await tried(store)
        notes.note("two")
        await until(lambda: [note.kind for note in read(path)] == ["one", "two"])
        assert not store.notes
        await until(lambda: notes.behind_for > 0.05)
        store.may_commit.set()
        await notes.settled()
        assert notes.behind_for == 0
    assert store.kinds == ["one", "two"]


async def test_a_journal_is_opened_without_the_database_and_goes_on_with_the_files_numbers(
    path: Path, store: Store
) -> None:
    async with opened(path, store) as notes:
        notes.note("one")
        await notes.settled()
        store.away = True
        notes.note("two")
    store.unreachable = True
    async with opened(path, store) as notes:
        notes.note("three")
        assert notes.depth >= 2
        await until(lambda: len(read(path)) == 3)
        store.unreachable = store.away = False
        await notes.settled()
        assert (notes.depth, notes.behind_for) == (0, 0)
    assert [(note.seq, note.kind) for note in store.notes] == [(1, "one"), (2, "two"), (3, "three")]


async def test_without_database_and_file_nobody_knows_the_number(path: Path, store: Store) -> None:
    store.unreachable = True
    with pytest.raises(LostCount, match="nobody knows its next number"):
        Journal(path, store).open()


async def test_what_a_full_disk_did_not_take_is_written_when_it_has_room_again(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
        await until(lambda: len(read(path)) == 1)
        size, room = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, room[1]))     # the next line is cut in the middle
        try:
            notes.note("two")
            await until(lambda: notes.file_fault)
            assert notes.file_fault == "File too large"
            assert path.stat().st_size == size, "half a line is none"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, room)
        await until(lambda: not notes.file_fault)
        assert [note.kind for note in read(path)] == ["one", "two"]
        store.away = False
    assert store.kinds == ["one", "two"]


async def test_a_folder_where_the_file_should_be_costs_nothing_but_the_file(path: Path, store: Store) -> None:
    path.mkdir(parents=True)
    async with opened(path, store) as notes:
        notes.note("one")
        await notes.settled()
        assert notes.file_fault == "Is a directory"
    assert store.kinds == ["one"]


async def test_a_database_that_hangs_does_not_keep_a_journal_from_its_end(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LAST_WORDS", 0.05)
    store.may_commit.clear()
    async with opened(path, store) as notes:
        notes.note("one")
        await tried(store)
        await notes.close()
        assert [note.kind for note in read(path)] == ["one"]


async def test_without_a_disk_the_database_still_gets_everything(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    async with opened(path, store) as notes:
        notes.note("one")
        notes.note("two")
        await notes.settled()
        assert store.kinds == ["one", "two"]


async def test_those_who_want_to_know_are_told_in_the_loop_after_each_commit(path: Path, store: Store) -> None:
    async with opened(path, store) as notes:
        told: list[tuple[int, str]] = []
        notes.on_commit(lambda: told.append((len(store.notes), threading.current_thread().name)))
        notes.note("one")
        await notes.settled()
        await asyncio.sleep(0)
        assert told == [(1, threading.main_thread().name)]


async def test_settled_waits_until_the_database_is_back(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
        settling = asyncio.create_task(notes.settled())
        await tried(store)
        await tried(store)
        assert not settling.done()
        store.away = False
        await settling
        assert store.kinds == ["one"]


async def test_whoever_has_ceased_to_wait_for_the_database_does_not_end_the_writer(path: Path, store: Store) -> None:
    store.away = True
    async with opened(path, store) as notes:
        notes.note("one")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await notes.settled()
        store.away = False
        await notes.settled()
        assert notes.alive
    assert store.kinds == ["one"]


async def test_facts_come_back_as_they_went(path: Path, store: Store) -> None:
    facts = {"text": "\u2028 \n \x85 \"'${SHELL(id)}`;../é", "none": None, "list": [1, 2.5], "yes": True}
    store.away = True
    async with opened(path, store) as notes:
        notes.note("odd", "c1", **facts)
        notes.note("next")
    found = read(path)
    assert found[0].facts == facts
    assert found[0].at.utcoffset() == timedelta(0)
    assert [note.kind for note in found] == ["odd", "next"]
