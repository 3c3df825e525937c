"""Makes a call's archive from its raw recording, and believes it only after reading it back.

Raw is what MixMonitor's option D writes: 16-bit little-endian at 8 kHz, two interleaved channels, left the
caller, right everybody else. The archive is Ogg/Opus with both channels kept apart; beside it lie peaks for
drawing the waveform.

Heavy work leaves the event loop: `archive` starts this module as a process of its own,
`python -m recordings.archive RAW OUT_OGG OUT_PEAKS`, which is nice to others, prints its result as JSON and
ends. Nothing here deletes a raw file.
"""
import argparse
import asyncio
import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pydub import AudioSegment

RATE = 8000
FRAME = 4                                                   # bytes: one 16-bit sample of each channel
#: points of the waveform a second
PEAKS_PER_SECOND = 20
#: measured: one voice in the other's channel stays below -55 dB; with 24k joint stereo mixes them at -26 dB
BIT_RATE = "40k"
#: dBFS that stand for digital silence
SILENCE = -96.0
#: how the worker's end says that it is not the recording's fault (EX_TEMPFAIL)
NOT_NOW = 75
#: how far an archive may differ from its raw recording: seconds, dB, and below which dBFS nothing is compared
LENGTH_OFF, LEVEL_OFF, QUIET = 0.1, 3.0, -60.0


class ArchiveError(Exception):
    """No archive could be made or believed; the message says why. The raw file is untouched."""


class NotNowError(ArchiveError):
    """It is not the recording's fault: no room, no ffmpeg. Later it may go well."""


@dataclass(frozen=True)
class Archived:
    """An archive that was read back and agrees with its raw recording."""
    #: seconds
    duration_for: float
    #: of the archive file, lower-case hex
    sha256: str
    #: loudness over the whole call, dB below full scale; SILENCE or more
    caller_dbfs: float
    others_dbfs: float
    #: bytes at the raw file's end that were no whole frame, and were left out
    dropped_bytes: int


async def archive(raw: Path, ogg: Path, peaks: Path) -> Archived:
    """Makes `ogg` and `peaks` from `raw` in a process of its own. ArchiveError says what went wrong; OSError: there can
    be no process now."""
    patience = _patience(raw)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "recordings.archive", *(str(path.absolute()) for path in (raw, ogg, peaks)),
        cwd=Path(__file__).parents[1], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(patience):
            said, complaint = await worker.communicate()
    except TimeoutError:
        raise ArchiveError(f"the worker did not end within {patience:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)           # its ffmpeg too, if we are stopped in the middle
        await worker.communicate()                          # and neither it nor its pipes outlive our loop
    if worker.returncode:
        kind = NotNowError if worker.returncode == NOT_NOW else ArchiveError
        raise kind(_last_line(complaint) or f"the worker ended with {worker.returncode}")
    return Archived(**json.loads(said))


def _patience(raw: Path) -> float:
    """Seconds a worker may take: an hour of sound may last an hour at the very worst."""
    try:
        return 60 + raw.stat().st_size / (RATE * FRAME)
    except OSError as fault:
        raise ArchiveError(f"the raw file cannot be read: {fault}") from fault


def assemble(raw: Path, ogg: Path, peaks: Path) -> Archived:
    """Makes `ogg` and `peaks` from `raw`, blocking. Both stand complete and on disk then, or ArchiveError."""
    with _alone_with(raw) as size:
        if size < FRAME:
            raise ArchiveError(f"the raw file holds {size} bytes: nothing was recorded")
        fresh_ogg, fresh_peaks = (path.with_name(f".{path.name}.part") for path in (ogg, peaks))
        try:
            ogg.parent.mkdir(parents=True, exist_ok=True)
            whole = size - size % FRAME
            source = Measure(points=True)
            with raw.open("rb") as file:
                source.take(file, whole)
            _encode(raw, whole, fresh_ogg)
            _compare(source, _decode(fresh_ogg))
            fresh_peaks.write_text(json.dumps(source.waveform(), separators=(",", ":")), "ascii")
            result = Archived(source.seconds, _sha256(fresh_ogg), *source.levels(), size - whole)
            for fresh, path in ((fresh_peaks, peaks), (fresh_ogg, ogg)):
                _put(fresh, path)
        except OSError as fault:
            raise NotNowError(f"the archive cannot be written: {fault}") from fault
        finally:
            with contextlib.suppress(NotADirectoryError):
                fresh_ogg.unlink(missing_ok=True)
                fresh_peaks.unlink(missing_ok=True)
    return result


class Measure:
    """Length, loudness and (with `points`) waveform of a two-channel stream, second by second."""

    def __init__(self, points: bool = False) -> None:
        self._frames, self._energy = 0, [0.0, 0.0]
        self._points: list[list[float]] | None = [[], []] if points else None

    def take(self, stream: IO[bytes], most: int = sys.maxsize) -> None:
        """Measures a stream to its end, or `most` bytes of it."""
        while most and (chunk := stream.read(min(most, RATE * FRAME))):
            most -= len(chunk)
            sound = AudioSegment(chunk, sample_width=2, frame_rate=RATE, channels=2)
            self._frames += int(sound.frame_count())
            for channel, side in enumerate(sound.split_to_mono()):
                self._energy[channel] += side.rms ** 2 * side.frame_count()
                if self._points is not None:
                    self._points[channel] += _points(side)

    @property
    def seconds(self) -> float:
        return self._frames / RATE

    def levels(self) -> tuple[float, float]:
        """dBFS of left and right."""
        left, right = (_dbfs(energy / max(1, self._frames)) for energy in self._energy)
        return left, right

    def waveform(self) -> dict[str, object]:
        """For drawing: lowest and highest value (-1 to 1) of each stretch in turn, for each channel."""
        return {"points_per_second": PEAKS_PER_SECOND, "seconds": self.seconds, "channels": self._points}


def _points(side: AudioSegment) -> list[float]:
    samples = side.get_array_of_samples()
    step = RATE // PEAKS_PER_SECOND
    stretches = (samples[at:at + step] for at in range(0, len(samples), step))
    return [round(edge(stretch) / 32768, 3) for stretch in stretches for edge in (min, max)]


def _dbfs(power: float) -> float:
    return max(SILENCE, 10 * math.log10(power / 32768 ** 2)) if power else SILENCE


@contextlib.contextmanager
def _alone_with(raw: Path) -> Iterator[int]:
    """The raw file's size, while no other worker (of a service that was killed, say) is at the same file."""
    try:
        with raw.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield os.fstat(file.fileno()).st_size
    except BlockingIOError as fault:
        raise ArchiveError("another worker is at this file") from fault
    except OSError as fault:
        raise ArchiveError(f"the raw file cannot be read: {fault}") from fault


def _ffmpeg() -> str:
    if (found := shutil.which("ffmpeg")) is None:
        raise NotNowError("ffmpeg is not installed and archives need it: apt install ffmpeg")
    return found


_SHAPE = ("-f", "s16le", "-ar", str(RATE), "-ac", "2")


def _encode(raw: Path, size: int, ogg: Path) -> None:
    """The first `size` bytes, whole frames: of an odd end ffmpeg would complain."""
    opus = ("-c:a", "libopus", "-b:a", BIT_RATE, "-vbr", "constrained", "-f", "ogg", f"file:{ogg}")
    frames = f"subfile,,start,0,end,{size},,:{raw}"
    command = [_ffmpeg(), "-nostdin", "-v", "error", "-y", *_SHAPE, "-i", frames, *opus]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or done.stderr:          # (on a full disk ffmpeg complains, and ends with 0)
        raise NotNowError(f"ffmpeg cannot encode: {_last_line(done.stderr) or f'it ended with {done.returncode}'}")


def _decode(ogg: Path) -> Measure:
    command = [_ffmpeg(), "-nostdin", "-v", "error", "-xerror", "-i", f"file:{ogg}", *_SHAPE, "-"]
    back = Measure()
    with tempfile.TemporaryFile() as complaint:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaint) as player:
            assert player.stdout is not None
            back.take(player.stdout)
        if player.returncode:
            complaint.seek(0)
            raise ArchiveError(f"the archive cannot be read back: {_last_line(complaint.read())}")
    return back


def _compare(source: Measure, back: Measure) -> None:
    if abs(source.seconds - back.seconds) > LENGTH_OFF:
        raise ArchiveError(f"the archive holds {back.seconds:.2f} s of {source.seconds:.2f} s")
    for side, was, is_now in zip(("caller", "others"), source.levels(), back.levels(), strict=True):
        if max(was, is_now) > QUIET and abs(was - is_now) > LEVEL_OFF:
            raise ArchiveError(f"the archive's {side} are at {is_now:.1f} dBFS and were at {was:.1f} dBFS")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(fresh: Path, path: Path) -> None:
    """`fresh` becomes `path`, on disk for good."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _last_line(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or [""])[-1]


def main() -> None:
    """The worker: one call, then the end."""
    parser = argparse.ArgumentParser(description="Make a call's archive from its raw recording.")
    for name in ("raw", "ogg", "peaks"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    os.nice(10)
    try:
        print(json.dumps(asdict(assemble(given.raw, given.ogg, given.peaks))))
    except ArchiveError as fault:
        print(fault, file=sys.stderr)
        sys.exit(NOT_NOW if isinstance(fault, NotNowError) else 1)


if __name__ == "__main__":
    main()
