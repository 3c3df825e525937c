"""The prompts as they come out of the workshop: lengths, loudness, whose voice, what is built again."""
import math
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from pydub import AudioSegment

from ivr.build import POSITIONS, Built, build, durations, missing, texts
from ivr.menu import CAMPAIGN_AT_MOST, SPOKEN_AT_MOST
from ivr.sound import SoundError

Hear = Callable[[Path], AudioSegment]


def record(path: Path, rate: int = 44100, channels: int = 2, level: float = 0.02) -> None:
    """A quiet human 'recording': one second of tone with half a second of silence on either side."""
    silence = array("h", bytes(2 * channels * (rate // 2)))
    tone = array("h", (round(32767 * level * math.sin(2 * math.pi * 500 * i / rate))
                       for i in range(rate) for _ in range(channels)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes((silence + tone + silence).tobytes())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place to build in where there is one language with two texts only, and no music to wait for."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "id.toml").write_text('greeting = "Layanan darurat."\nposition = "Urutan {n}."\n')
    monkeypatch.setattr("ivr.build._TEXTS", shipped)
    monkeypatch.setattr("ivr.build.POSITIONS", 1)
    monkeypatch.setattr("ivr.music.tune", lambda: array("h", [1000, -1000] * 4000))
    return tmp_path / "prompts"


def test_every_text_is_built_in_both_languages(prompts: Path, built: list[Built]) -> None:
    expected = {"greeting", "menu", "wrong_key", "queued", "wayout", "reoffered", "campaign", "position-many",
                "if-emergency"}
    for language in ("id", "en"):
        names = {one.name for one in built if one.language == language}
        assert names == set(texts(prompts, language)) | {"beep"}
        assert expected | {f"position-{n}" for n in range(1, POSITIONS + 1)} < names
    assert missing(prompts) == []


def test_both_languages_say_the_same_things(prompts: Path) -> None:
    assert set(texts(prompts, "id")) == set(texts(prompts, "en"))


@pytest.mark.parametrize("language", ["id", "en"])
def test_greeting_and_menu_are_spoken_in_eight_seconds(prompts: Path, language: str, heard: Hear) -> None:
    spoken = sum(heard(prompts / language / f"{name}.alaw").duration_seconds for name in ("greeting", "menu"))
    assert 4 < spoken <= SPOKEN_AT_MOST
    assert heard(prompts / language / "campaign.alaw").duration_seconds <= CAMPAIGN_AT_MOST


@pytest.mark.parametrize("ending", ["alaw", "wav16"])
def test_every_prompt_is_equally_loud_and_none_is_clipped(
    prompts: Path, built: list[Built], ending: str, heard: Hear
) -> None:
    for one in built:
        sound = heard(prompts / one.language / f"{one.name}.{ending}")
        assert -23 < sound.dBFS < -17, one
        assert sound.max_dBFS < -3, one


def test_no_prompt_begins_or_ends_with_a_long_silence(prompts: Path, built: list[Built], heard: Hear) -> None:
    for one in built:
        sound = heard(prompts / one.language / f"{one.name}.alaw")
        assert sound[:200].max_dBFS > -40, one
        assert sound[-min(300, len(sound)):].max_dBFS > -40, one


def test_durations_are_those_of_the_sound(prompts: Path, built: list[Built], heard: Hear) -> None:
    for one in built:
        assert durations(prompts, one.language)[one.name] == one.seconds
        for ending in ("alaw", "wav16"):
            path = prompts / one.language / f"{one.name}.{ending}"
            assert heard(path).duration_seconds == pytest.approx(one.seconds, abs=0.01)


def test_the_wide_file_is_16_bit_mono_at_16_khz(prompts: Path) -> None:
    with wave.open(str(prompts / "id" / "menu.wav16")) as wav:
        assert (wav.getframerate(), wav.getsampwidth(), wav.getnchannels()) == (16000, 2, 1)


def test_a_second_build_makes_nothing_and_changes_no_file(prompts: Path, built: list[Built]) -> None:
    before = {path: path.stat().st_mtime_ns for path in prompts.rglob("*.alaw")}
    made: list[str] = []
    again = build(prompts, progress=made.append)
    assert made == []
    assert not any(one.fresh for one in again)
    assert before == {path: path.stat().st_mtime_ns for path in prompts.rglob("*.alaw")}


def test_a_recorded_voice_wins_whatever_its_rate_and_channels(small: Path, heard: Hear) -> None:
    build(small, ["id"])
    record(small / "id" / "recorded" / "greeting.wav")
    made: list[str] = []
    one = next(one for one in build(small, ["id"], made.append) if one.name == "greeting")
    assert made == ["id/greeting"]
    assert one.recorded
    assert one.seconds == pytest.approx(1.14, abs=0.05)         # the silence around the tone is gone
    assert heard(small / "id" / "greeting.alaw").dBFS == pytest.approx(-20.5, abs=1)
    (small / "id" / "recorded" / "greeting.wav").unlink()
    one = next(one for one in build(small, ["id"]) if one.name == "greeting")
    assert one.fresh
    assert not one.recorded


def test_a_recording_under_a_new_name_is_a_prompt_too(small: Path) -> None:
    record(small / "id" / "recorded" / "banjir.wav", rate=48000, channels=1)
    build(small, ["id"])
    assert "banjir" in durations(small, "id")


def test_a_recording_laid_beside_the_prompts_is_moved_where_asterisk_cannot_trip_over_it(small: Path) -> None:
    build(small, ["id"])
    record(small / "id" / "greeting.wav")
    assert missing(small, ["id"]) == ["id/greeting"]
    one = next(one for one in build(small, ["id"]) if one.name == "greeting")
    assert one.recorded
    assert missing(small, ["id"]) == []
    assert [path.relative_to(small).as_posix() for path in small.rglob("*.wav")] == ["id/recorded/greeting.wav"]


def test_the_admins_own_words_win_and_only_they_are_built_again(small: Path) -> None:
    build(small, ["id"])
    (small / "id.toml").write_text('greeting = "Banyuwangi satu satu dua."\ncampaign-2 = "Tekan enam."\n')
    made: list[str] = []
    build(small, ["id"], made.append)
    assert sorted(made) == ["id/campaign-2", "id/greeting"]


def test_a_lost_file_is_missed_and_built_again(small: Path) -> None:
    build(small, ["id"])
    (small / "id" / "greeting.wav16").unlink()
    (small / "moh" / "kentongan.alaw").unlink()
    assert missing(small, ["id"]) == ["id/greeting", "moh/kentongan"]
    build(small, ["id"])
    assert missing(small, ["id"]) == []


def test_a_broken_recording_is_named_and_stops_nothing_else(small: Path) -> None:
    record(small / "id" / "silent.wav", level=0)
    (small / "id" / "greeting.wav").write_bytes(b"no sound at all")
    with pytest.raises(SoundError, match=r"greeting\.wav: ffmpeg failed.*silent\.wav: .*nothing but silence"):
        build(small, ["id"])
    assert {"position-1", "beep"} <= set(durations(small, "id"))
    assert "greeting" not in durations(small, "id")


def test_no_half_written_file_is_left_behind(small: Path) -> None:
    build(small, ["id"])
    assert [path.name for path in small.rglob(".*")] == []


@pytest.mark.parametrize("tool", ["espeak-ng", "ffmpeg"])
def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    small: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = __import__("shutil").which
    monkeypatch.setattr("ivr.sound.shutil.which", lambda name: None if name == tool else real(name))
    with pytest.raises(SoundError, match=f"apt install {tool}"):
        build(small, ["id"])


def test_unreadable_words_are_refused_with_file_and_reason(small: Path) -> None:
    small.mkdir()
    (small / "id.toml").write_text("greeting = Halo\n")
    with pytest.raises(SoundError, match=r"id\.toml: .*line 1"):
        build(small, ["id"])
    assert "id.toml" in missing(small, ["id"])[0]
    (small / "id.toml").write_text("greeting = 112\n")
    with pytest.raises(SoundError, match="greeting must be a text in quotes"):
        build(small, ["id"])


def test_a_language_with_unreadable_words_stops_no_other_language(small: Path) -> None:
    small.mkdir()
    shipped = small.parent / "shipped"
    (shipped / "en.toml").write_text((shipped / "id.toml").read_text())
    (small / "id.toml").write_text("greeting = Halo\n")
    with pytest.raises(SoundError, match=r"id\.toml"):
        build(small, ["id", "en"])
    assert "greeting" in durations(small, "en")


def test_a_language_without_texts_is_refused_and_the_others_are_named(small: Path) -> None:
    with pytest.raises(SoundError, match="'jv'; there are: id"):
        build(small, ["jv"])
