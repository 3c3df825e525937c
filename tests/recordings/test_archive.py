"""What goes into an archive comes out of it: who spoke, how loud, how long; and no raw file is ever harmed."""
import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.sound import spoken as speech
from recordings import archive as room
from recordings.archive import SILENCE, ArchiveError, archive, assemble
from tests.recordings.tones import CALLER, OTHERS, Tone, hear, interleaved, level, strength
from tests.waiting import until

Record = Callable[..., Path]


@pytest.fixture
def ogg(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "2026" / "11" / "22" / "1763800000.12.ogg"


@pytest.fixture
def peaks(ogg: Path) -> Path:
    return ogg.with_suffix(".peaks.json")


def test_two_voices_keep_their_sides_their_length_and_their_loudness(record: Record, ogg: Path, peaks: Path) -> None:
    made = assemble(record(caller=Tone(440, -12), others=Tone(1000, -20), seconds=3), ogg, peaks)
    heard = hear(ogg)
    assert heard.seconds == pytest.approx(3, abs=0.1)
    assert strength(heard.left[8000:16000], 440) == pytest.approx(-12, abs=0.5)
    assert strength(heard.right[8000:16000], 1000) == pytest.approx(-20, abs=0.5)
    assert made.duration_for == 3
    assert made.caller_dbfs == pytest.approx(-15, abs=0.1)      # a sine is 3 dB less loud than its peak
    assert made.others_dbfs == pytest.approx(-23, abs=0.1)
    assert made.dropped_bytes == 0


def test_neither_voice_is_heard_on_the_other_side(record: Record, ogg: Path, peaks: Path) -> None:
    assemble(record(seconds=3), ogg, peaks)
    heard = hear(ogg)
    assert strength(heard.left[8000:16000], 1000) < -12 - 40
    assert strength(heard.right[8000:16000], 440) < -12 - 40


@pytest.mark.parametrize("quiet_dbfs", [None, -55])
def test_a_loud_caller_is_not_heard_where_the_others_are_silent_or_quiet(
    record: Record, ogg: Path, peaks: Path, quiet_dbfs: float | None
) -> None:
    assemble(record(caller=Tone(440, -3), others=Tone(1000, quiet_dbfs), seconds=3), ogg, peaks)
    assert strength(hear(ogg).right[8000:16000], 440) < -3 - 40


def test_speech_stays_on_its_side(tmp_path: Path, ogg: Path, peaks: Path) -> None:
    spoken = tmp_path / "spoken.wav"
    speech("Tolong, rumah saya kebakaran di jalan merdeka.", "id", 160).export(spoken, format="wav")
    voice = hear(spoken).left
    raw = tmp_path / "speech.raw"
    raw.write_bytes(interleaved([0] * len(voice), voice))
    assemble(raw, ogg, peaks)
    heard = hear(ogg)
    assert level(heard.right) == pytest.approx(level(voice), abs=0.5)
    assert level(heard.left) < level(heard.right) - 40


def test_the_sum_is_that_of_the_file_that_stands_in_the_archive(record: Record, ogg: Path, peaks: Path) -> None:
    made = assemble(record(), ogg, peaks)
    assert made.sha256 == hashlib.sha256(ogg.read_bytes()).hexdigest()


def test_the_peaks_draw_both_sides(record: Record, ogg: Path, peaks: Path) -> None:
    raw = record(caller=Tone(440, -6), others=Tone(1000, None), seconds=1.5)
    assemble(raw, ogg, peaks)
    drawn = json.loads(peaks.read_text())
    assert (drawn["points_per_second"], drawn["seconds"]) == (20, 1.5)
    caller, others = drawn["channels"]
    assert len(caller) == len(others) == 2 * 20 * 1.5           # lowest and highest of each stretch
    assert caller[0::2] == pytest.approx([-0.5] * 30, abs=0.02)
    assert caller[1::2] == pytest.approx([0.5] * 30, abs=0.02)
    assert set(others) == {0}


def test_a_silent_call_is_archived_as_silence(record: Record, ogg: Path, peaks: Path) -> None:
    made = assemble(record(caller=Tone(440, None), others=Tone(1000, None)), ogg, peaks)
    assert (made.caller_dbfs, made.others_dbfs) == (SILENCE, SILENCE)
    assert hear(ogg).seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("extra", [1, 2, 3])
def test_an_odd_end_is_left_out_and_told(record: Record, ogg: Path, peaks: Path, extra: int) -> None:
    raw = record(seconds=1)
    raw.write_bytes(raw.read_bytes() + b"\x7f" * extra)
    made = assemble(raw, ogg, peaks)
    assert made.dropped_bytes == extra
    assert made.duration_for == 1


def test_a_call_of_a_few_milliseconds_is_archived(record: Record, ogg: Path, peaks: Path) -> None:
    assert assemble(record(seconds=0.02), ogg, peaks).duration_for == 0.02


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x01\x02\x03"])
def test_an_empty_recording_is_refused_plainly(tmp_path: Path, ogg: Path, peaks: Path, content: bytes) -> None:
    raw = tmp_path / "empty.raw"
    raw.write_bytes(content)
    with pytest.raises(ArchiveError, match=f"holds {len(content)} bytes: nothing was recorded"):
        assemble(raw, ogg, peaks)


def test_a_missing_raw_file_is_refused_plainly(tmp_path: Path, ogg: Path, peaks: Path) -> None:
    with pytest.raises(ArchiveError, match=r"the raw file cannot be read: .*nowhere"):
        assemble(tmp_path / "nowhere.raw", ogg, peaks)


@pytest.mark.parametrize("step", ["_encode", "_decode", "_compare", "_sha256", "_put"])
def test_a_fault_at_any_step_leaves_the_raw_file_and_no_archive(
    record: Record, ogg: Path, peaks: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    raw = record()
    before = raw.read_bytes()
    monkeypatch.setattr(room, step, fails)
    with pytest.raises(ArchiveError, match="No space left on device"):
        assemble(raw, ogg, peaks)
    assert raw.read_bytes() == before
    assert list(ogg.parent.iterdir()) == []


@pytest.mark.parametrize(("harm", "complaint"), [
    (lambda data: data[:len(data) // 2], r"cannot be read back|holds [01]\.\d+ s of 3\.00 s"),
    (lambda data: b"rubbish" * 100, "cannot be read back"),
])
def test_an_archive_that_does_not_read_back_is_not_believed(
    record: Record, ogg: Path, peaks: Path, harm: Callable[[bytes], bytes], complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode = room._encode

    def harmed(raw: Path, size: int, fresh: Path) -> None:
        encode(raw, size, fresh)
        fresh.write_bytes(harm(fresh.read_bytes()))

    monkeypatch.setattr(room, "_encode", harmed)
    with pytest.raises(ArchiveError, match=complaint):
        assemble(record(seconds=3), ogg, peaks)
    assert not ogg.exists()


def test_an_archive_of_somebody_elses_voice_is_not_believed(
    record: Record, ogg: Path, peaks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = record("other.raw", caller=OTHERS, others=Tone(1000, -30))
    encode = room._encode
    monkeypatch.setattr(room, "_encode", lambda raw, size, fresh: encode(other, size, fresh))
    with pytest.raises(ArchiveError, match=r"the archive's others are at -3[23]\.\d dBFS and were at -15\.\d dBFS"):
        assemble(record(caller=CALLER, others=OTHERS), ogg, peaks)


def test_an_older_archive_stands_until_the_new_one_is_believed(
    record: Record, ogg: Path, peaks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = record()
    assemble(raw, ogg, peaks)
    before = ogg.read_bytes()
    monkeypatch.setattr(room, "_compare", lambda *_: (_ for _ in ()).throw(ArchiveError("no")))
    with pytest.raises(ArchiveError):
        assemble(raw, ogg, peaks)
    assert ogg.read_bytes() == before


def test_two_workers_are_never_at_the_same_file(record: Record, ogg: Path, peaks: Path) -> None:
    raw = record()
    with room._alone_with(raw), pytest.raises(ArchiveError, match="another worker is at this file"):
        assemble(raw, ogg, peaks)


def test_missing_ffmpeg_is_named_with_the_command_that_installs_it(
    record: Record, ogg: Path, peaks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.archive.shutil.which", lambda _: None)
    with pytest.raises(ArchiveError, match="apt install ffmpeg"):
        assemble(record(), ogg, peaks)


async def test_the_worker_tells_us_what_it_made(record: Record, ogg: Path, peaks: Path) -> None:
    raw = record()
    made = await archive(raw, ogg, peaks)
    assert replace(made, sha256="") == replace(assemble(raw, ogg.with_name("our.ogg"), peaks), sha256="")
    assert made.sha256 == hashlib.sha256(ogg.read_bytes()).hexdigest()
    assert peaks.exists()
    assert raw.exists()


async def test_the_event_loop_goes_on_while_the_worker_works(record: Record, ogg: Path, peaks: Path) -> None:
    loop, raw = asyncio.get_running_loop(), record(seconds=20)
    longest, last = 0.0, loop.time()
    work = asyncio.create_task(archive(raw, ogg, peaks))
    while not work.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, loop.time() - last), loop.time()
    assert work.result().duration_for == 20
    assert longest < 0.5


async def test_the_workers_complaint_reaches_us(tmp_path: Path, ogg: Path, peaks: Path) -> None:
    raw = tmp_path / "empty.raw"
    raw.touch()
    with pytest.raises(ArchiveError, match="nothing was recorded"):
        await archive(raw, ogg, peaks)
    with pytest.raises(ArchiveError, match="cannot be read"):
        await archive(tmp_path / "nowhere.raw", ogg, peaks)


@pytest.fixture
def pretends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script in ffmpeg's place; it writes its process id into the file that is returned."""

    def play(script: str) -> Path:
        mark = tmp_path / "ffmpeg.pid"
        tool = tmp_path / "bin" / "ffmpeg"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\necho $$ > {mark}.new; mv {mark}.new {mark}\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        return mark

    return play


async def ends(pid: int) -> None:
    stat = Path(f"/proc/{pid}/stat")
    await until(lambda: not stat.exists() or stat.read_text().split()[2] == "Z", within=10)


async def test_a_stopped_service_leaves_no_worker_and_no_ffmpeg_behind(
    record: Record, ogg: Path, peaks: Path, pretends: Callable[[str], Path]
) -> None:
    mark = pretends("exec sleep 60")
    raw = record()
    work = asyncio.create_task(archive(raw, ogg, peaks))
    await until(mark.exists)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await ends(int(mark.read_text()))
    assert raw.exists()
    assert not ogg.exists()


async def test_a_worker_that_never_ends_is_ended(
    record: Record, ogg: Path, peaks: Path, pretends: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretends("exec sleep 60")
    monkeypatch.setattr(room, "_patience", lambda _: 0.5)
    with pytest.raises(ArchiveError, match="did not end within"):
        await archive(record(), ogg, peaks)


async def test_a_worker_that_is_killed_is_told(
    record: Record, ogg: Path, peaks: Path, pretends: Callable[[str], Path]
) -> None:
    pretends("kill -9 $PPID")
    with pytest.raises(ArchiveError, match=f"ended with -{signal.SIGKILL.value}"):
        await archive(record(), ogg, peaks)
