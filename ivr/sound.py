"""The sound bench of the menu's room: trims and levels a sound and writes it as Asterisk plays it best.

Every sound leaves as a pair: `NAME.alaw` (8 kHz A-law, what Indonesian trunks speak: no transcoding per
caller) and `NAME.wav16` (16-bit mono WAV at 16 kHz, for phones with wide sound). Both replace their elders in
one step each, so that a call in the middle of a prompt goes on hearing the old one.
"""
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydub import AudioSegment
from pydub.silence import detect_leading_silence

#: dBFS, the loudness every prompt is brought to
LOUDNESS = -20.0
#: dBFS, no sample of a prompt is louder (a little under -3, because changing the rate moves peaks)
CEILING = -3.6
#: dBFS, quieter than this at either end is cut away once the sound is levelled
SILENCE = -45.0
#: milliseconds left before and after the sound, so that two prompts in a row do not stick together
HEAD, TAIL = 20, 120
#: of an `.alaw` file: one byte per sample
ALAW_BYTES_PER_SECOND = 8000

_INSTALL = {"ffmpeg": "apt install ffmpeg", "espeak-ng": "apt install espeak-ng"}


class SoundError(Exception):
    """A prompt cannot be made; the message says which, why and what to do."""


def tool(name: str) -> str:
    """Path of a program we need; SoundError names the command that installs it."""
    if (found := shutil.which(name)) is None:
        raise SoundError(f"{name} is not installed and the prompts need it: {_INSTALL[name]}")
    return found


def run(command: Sequence[str], given: bytes = b"") -> bytes:
    """Runs a sound tool on `given`; returns what it wrote. SoundError carries its last line of complaint."""
    with tempfile.TemporaryDirectory(prefix="kt") as home:      # espeak-ng's sound library leaves files in its home
        strayed = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH"), home)
        try:
            done = subprocess.run(
                command, input=given, capture_output=True, timeout=60, check=False, env=os.environ | strayed)
        except subprocess.TimeoutExpired:
            raise SoundError(f"{Path(command[0]).name} did not end within 60 s") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SoundError(f"{Path(command[0]).name} failed: {complaint[-1]}")
    return done.stdout


def spoken(text: str, voice: str, words_per_minute: int) -> AudioSegment:
    """`text` by the placeholder voice of espeak-ng, mono."""
    speed = str(words_per_minute)
    wav = run([tool("espeak-ng"), "-v", voice, "-s", speed, "--stdin", "--stdout"], text.encode())
    rate = int.from_bytes(wav[24:28], "little")           # its header was written before the length was known
    return AudioSegment(data=wav[44:], sample_width=2, frame_rate=rate, channels=1)


def recorded(wav: Path) -> AudioSegment:
    """A WAV of any rate, depth and number of channels, as 16-bit mono."""
    mono = ["-ac", "1", "-ar", "48000", "-f", "s16le", "-"]
    raw = run([tool("ffmpeg"), "-v", "error", "-i", f"file:{wav}", *mono])
    return AudioSegment(data=raw, sample_width=2, frame_rate=48000, channels=1)


def trimmed(sound: AudioSegment) -> AudioSegment:
    """The sound without silence at its ends, save a breath. SoundError if there is only silence."""
    if sound.max_dBFS < SILENCE:
        raise SoundError("it holds nothing but silence")
    quiet = sound.dBFS + SILENCE - LOUDNESS
    start = detect_leading_silence(sound, quiet, chunk_size=5)
    end = len(sound) - detect_leading_silence(sound.reverse(), quiet, chunk_size=5)
    before, after = (AudioSegment.silent(length, sound.frame_rate) for length in (HEAD, TAIL))
    return before + sound[start:end].fade_in(5).fade_out(5) + after


def pair(stem: Path) -> tuple[Path, Path]:
    """The two files of a sound: 8 kHz A-law and 16 kHz WAV."""
    return stem.with_name(f"{stem.name}.alaw"), stem.with_name(f"{stem.name}.wav16")


def write(sound: AudioSegment, stem: Path, loudness: float = LOUDNESS) -> None:
    """Writes `stem`.alaw and `stem`.wav16 at `loudness` dBFS (`sound`: 16-bit mono, any rate).

    Only peaks that would go over the ceiling are held down; a sound without such peaks is not shifted.
    """
    gain = loudness - sound.dBFS
    louder = f"aformat=flt,volume={gain:.2f}dB"
    if sound.max_dBFS + gain > CEILING:
        louder += f",alimiter=limit={10 ** (CEILING / 20):.3f}:attack=3:release=60:level=false"
    stem.parent.mkdir(parents=True, exist_ok=True)
    fresh = alaw, wav16 = pair(stem.with_name(f".{os.getpid()}.{stem.name}"))
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact"]
    try:
        given = ["-f", "s16le", "-ar", str(sound.frame_rate), "-ac", "1", "-i", "pipe:0"]
        narrow = ["-af", louder, "-ar", "8000", "-c:a", "pcm_alaw", "-f", "alaw", f"file:{alaw}"]
        wide = ["-af", louder, "-ar", "16000", "-c:a", "pcm_s16le", *exact, "-f", "wav", f"file:{wav16}"]
        run([tool("ffmpeg"), "-v", "error", "-y", *given, *narrow, *wide], sound.raw_data)
        for new, old in zip(fresh, pair(stem), strict=True):
            new.replace(old)
    finally:
        for new in fresh:
            new.unlink(missing_ok=True)
