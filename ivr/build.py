"""Builds what callers hear: the prompts of every language, the beep and the music on hold.

The texts are ours (`ivr/prompts/<lang>.toml`); an admin's wording in `<into>/<lang>.toml` wins over them, and a human's
recording `<into>/<lang>/recorded/NAME.wav` wins over every text. What has not changed since the last build is left
alone: `<into>/built.json` remembers from which text or recording each prompt was made. The voice is a placeholder until
somebody records a real one.

A recording never stays beside the files that are played: Asterisk prefers a `.wav` for some channels, refuses it unless
it is 8 kHz mono, and then plays nothing at all (measured on 22.10.1). One that was laid there is moved.
"""
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydub import AudioSegment
from pydub.generators import Sine

from ivr import music, sound
from ivr.sound import SoundError

#: places in the queue that are told by number; further back it is position-many
POSITIONS = 20
#: speed of the placeholder voice: calm, and greeting and menu still fit into 8 s
WORDS_PER_MINUTE = 158
#: raise it when the making itself changes, so that everything is built again
RECIPE = 1

_TEXTS = Path(__file__).parent / "prompts"
_MUSIC = "moh/kentongan"
_RECORDED = "recorded"


@dataclass(frozen=True)
class Built:
    """One prompt as it stands now."""
    language: str
    name: str
    #: seconds
    seconds: float
    #: a human's recording, not the placeholder voice
    recorded: bool
    #: made by this build; False: it was already right
    fresh: bool


@dataclass(frozen=True)
class _Source:
    name: str
    text: str = ""
    wav: Path | None = None

    def hash(self) -> str:
        content = self.wav.read_bytes() if self.wav else f"{self.text}|{WORDS_PER_MINUTE}".encode()
        return f"{RECIPE}:{hashlib.sha256(content).hexdigest()}"

    def sound(self, language: str) -> AudioSegment:
        if self.wav:
            return sound.trimmed(sound.recorded(self.wav))
        if self.name == "beep":
            return Sine(1000).to_audio_segment(250).fade_in(10).fade_out(10)
        return sound.trimmed(sound.spoken(self.text, language, WORDS_PER_MINUTE))


def build(into: Path, languages: Iterable[str] = ("id", "en"),
          progress: Callable[[str], None] = lambda _: None) -> list[Built]:
    """Makes every prompt that is not there or whose text or recording has changed; blocks for seconds.

    `progress` is told the name ("id/menu") of each one made. One that cannot be made stops none of the others
    (its old sound stays); then SoundError says at the end which ones, why and what to do.
    """
    memory = into / "built.json"
    known = _remembered(memory)
    faults: list[str] = []

    def make(language: str, source: _Source) -> Built | None:
        stem, key = into / language / source.name, f"{language}/{source.name}"
        try:
            fresh = known.get(key) != (now := source.hash()) or not _stands(stem)
            if fresh:
                sound.write(source.sound(language), stem)
                known[key] = now
                progress(key)
            return Built(language, source.name, _seconds(sound.pair(stem)[0]), source.wav is not None, fresh)
        except (SoundError, OSError) as fault:
            where = source.wav or f"the text of {key}"
            faults.append(f"{where}: {fault}")
            return None

    work: list[tuple[str, _Source]] = []
    for language in languages:
        try:
            _put_recordings_aside(into / language)
            work += [(language, source) for source in _sources(into, language)]
        except SoundError as fault:
            faults.append(str(fault))
    try:
        if known.get(_MUSIC) != f"{RECIPE}:{music.RECIPE}" or not _stands(into / _MUSIC):
            tune = AudioSegment(music.tune().tobytes(), sample_width=2, frame_rate=music.RATE, channels=1)
            sound.write(tune, into / _MUSIC, music.LOUDNESS)
            known[_MUSIC] = f"{RECIPE}:{music.RECIPE}"
            progress(_MUSIC)
        with ThreadPoolExecutor(os.cpu_count()) as hands:
            built = [one for one in hands.map(lambda job: make(*job), work) if one]
    finally:
        _remember(memory, known)
    if faults:
        raise SoundError("; ".join(sorted(set(faults))))
    return built


def missing(into: Path, languages: Iterable[str] = ("id", "en")) -> list[str]:
    """Names ("id/menu") of what callers should hear and the disk does not hold; empty when all is well.

    Instead of a language's names the reason stands there when its texts cannot be read.
    """
    lost: list[str] = []
    for language in languages:
        try:
            names = [f"{language}/{source.name}" for source in _sources(into, language)]
        except SoundError as fault:
            lost.append(str(fault))
        else:
            lost += [name for name in names if not _stands(into / name)]
    return lost if _stands(into / _MUSIC) else [*lost, _MUSIC]


def durations(into: Path, language: str) -> dict[str, float]:
    """Seconds of every prompt that is built for a language; empty when none is."""
    return {alaw.stem: _seconds(alaw) for alaw in sorted((into / language).glob("[!.]*.alaw"))}


def texts(into: Path, language: str) -> dict[str, str]:
    """The words of every spoken prompt by name, the admin's own over ours, positions counted out.

    SoundError names file and reason when one of the two files cannot be read.
    """
    shipped = _TEXTS / f"{language}.toml"
    if not shipped.is_file():
        raise SoundError(f"there are no prompts in language {language!r}; there are: "
                         + ", ".join(sorted(path.stem for path in _TEXTS.glob("*.toml"))))
    words = _read(shipped) | _read(into / f"{language}.toml")
    place = words.pop("position")
    return {f"position-{n}": place.replace("{n}", str(n)) for n in range(1, POSITIONS + 1)} | words


def _read(file: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as fault:
        raise SoundError(f"{file}: {fault}") from fault
    wrong = [name for name, text in content.items() if not isinstance(text, str) or not text.strip()]
    if wrong:
        raise SoundError(f'{file}: {wrong[0]} must be a text in quotes, like {wrong[0]} = "…"')
    return content


def _sources(into: Path, language: str) -> list[_Source]:
    """Every prompt of a language with where it comes from; a recording under a new name is a prompt too."""
    words = texts(into, language) | {"beep": ""}
    tapes = {path.stem: path for path in (into / language / _RECORDED).glob("[!.]*.wav")}
    return [_Source(name, words.get(name, ""), tapes.get(name)) for name in sorted(words | tapes)]


def _put_recordings_aside(folder: Path) -> None:
    for wav in folder.glob("[!.]*.wav"):
        (folder / _RECORDED).mkdir(exist_ok=True)
        wav.replace(folder / _RECORDED / wav.name)


def _stands(stem: Path) -> bool:
    """Both files are there, and nothing lies beside them that Asterisk would try to play instead."""
    return all(path.is_file() for path in sound.pair(stem)) and not stem.with_name(f"{stem.name}.wav").exists()


def _seconds(alaw: Path) -> float:
    return alaw.stat().st_size / sound.ALAW_BYTES_PER_SECOND


def _remembered(memory: Path) -> dict[str, str]:
    try:
        known = json.loads(memory.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}                                           # a broken memory only costs a build
    return known if isinstance(known, dict) else {}


def _remember(memory: Path, known: Mapping[str, str]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    fresh = memory.with_name(f".built.{os.getpid()}.json")
    fresh.write_text(json.dumps(known, indent=1, sort_keys=True), "utf-8")
    fresh.replace(memory)
