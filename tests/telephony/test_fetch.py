"""Finding and fetching Asterisk: versions, refusals, and that half a fetch is never taken for a whole one.

The programs in between (apt, dpkg, Asterisk, its loader) are small shell scripts on the PATH, so that every
test runs real processes over real folders and yet needs neither network nor root.
"""

import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import fetch
from telephony.fetch import LEAST, NoAsteriskError, parse_version, unfit

TRIPLET, LOADER = fetch._LOADERS[platform.machine()]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def unpacked(prefix: Path, version: str = "22.10.1+dfsg+~cs6.17-1") -> Path:
    """What the packages leave behind, as far as we look: a loader that runs, modules, REST description."""
    lib = prefix / "usr/lib" / TRIPLET
    script(lib / LOADER, f"test -x $3 && echo Asterisk {version}")
    script(prefix / "usr/sbin/asterisk", f"echo Asterisk {version}")
    for name in (lib / "asterisk/modules/res_ari.so", prefix / "usr/share/asterisk/rest-api/resources.json"):
        name.parent.mkdir(parents=True)
        name.touch()
    return prefix


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "var/asterisk-root"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt offers what stands in `version` and whose dpkg unpacks it; `log` has downloads."""
    here = tmp_path / "mirror"
    unpacked(here / "packed")
    (here / "version").write_text("Version: 1:22.10.1~dfsg+~cs6.17-1\n")
    script(
        here / "bin/apt-get",
        f"""case "$*" in
        *indextargets*) echo http://one.invalid/d/ bookworm main ;;
        *--print-uris*) echo "'http://one.invalid/a' asterisk.deb 2000000 SHA256:00" ;;
        *--download-only*)
            echo download >>{here}/log
            for word; do
                case $word in Dir::Cache=*) touch "${{word#*=}}/archives/asterisk.deb" ;; esac
            done ;;
        esac""",
    )
    script(here / "bin/apt-cache", f"cat {here}/version")
    script(here / "bin/dpkg", f"test ! -e {here}/disk-full && cp -r {here}/packed/. $3")
    monkeypatch.setenv("PATH", f"{here}/bin:/usr/bin:/bin")
    return here


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1\n", (22, 10, 1)),
        ("1:22.11.0~dfsg+~cs6.17.60671434-1", (22, 11, 0)),
        ("Asterisk 20.9", (20, 9, 0)),
        ("Asterisk GIT-master-1234567", None),
        ("Asterisk certified-20.7-cert4", None),
        ("asterisk: error while loading shared libraries", None),
        ("", None),
    ],
)
def test_a_version_is_read_or_said_to_be_unreadable(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@given(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)))
def test_a_version_is_fit_exactly_when_it_is_new_enough_and_not_named_as_unfit(
    numbers: tuple[int, int, int],
) -> None:
    fit = unfit(parse_version("Asterisk {}.{}.{}".format(*numbers))) is None
    assert fit == (numbers >= LEAST and numbers != (22, 11, 0))


def test_a_refused_version_comes_with_its_reason() -> None:
    assert "ChanSpy" in str(unfit(parse_version("Asterisk 22.11.0")))
    assert "older than 22.10.1" in str(unfit(parse_version("Asterisk 22.10.0")))
    assert "cannot be read" in str(unfit(None))


def test_a_whole_prefix_is_found_with_all_its_parts(prefix: Path) -> None:
    found = fetch.find_private(unpacked(prefix))
    assert found is not None
    assert found.version == (22, 10, 1)
    assert found.origin == "prefix"
    assert found.loader[1] == "--library-path"
    assert (found.modules / "res_ari.so").exists()
    assert (found.data / "rest-api/resources.json").exists()


@pytest.mark.parametrize(
    "lacking",
    [
        f"usr/lib/{TRIPLET}/{LOADER}",
        "usr/sbin/asterisk",
        f"usr/lib/{TRIPLET}/asterisk/modules/res_ari.so",
        "usr/share/asterisk/rest-api/resources.json",
    ],
)
def test_a_half_done_prefix_is_not_taken(prefix: Path, lacking: str) -> None:
    (unpacked(prefix) / lacking).unlink()
    assert fetch.find_private(prefix) is None


def test_the_systems_asterisk_is_taken_before_the_private_one(
    tmp_path: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = unpacked(tmp_path / "system", version="22.12.0")
    monkeypatch.setenv("PATH", f"{system}/usr/sbin:/usr/bin:/bin")
    found = fetch.find(unpacked(prefix))
    assert found is not None
    assert (found.origin, found.version) == ("system", (22, 12, 0))
    assert found.loader == (f"{system}/usr/sbin/asterisk",)


@pytest.mark.parametrize("version", ["20.9.3", "22.11.0"])
def test_an_unfit_asterisk_of_the_system_is_passed_over(
    tmp_path: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    system = unpacked(tmp_path / "system", version)
    monkeypatch.setenv("PATH", f"{system}/usr/sbin:/usr/bin:/bin")
    assert fetch.find(prefix) is None
    found = fetch.find(unpacked(prefix))
    assert found is not None
    assert found.origin == "prefix"


def test_a_fetch_leaves_a_whole_asterisk_and_nothing_else(mirror: Path, prefix: Path) -> None:
    told: list[str] = []
    found = fetch.fetch(prefix, told.append)
    assert found == fetch.find_private(prefix)
    assert told == [
        "Package lists of Debian sid",
        "Downloading 1 packages, 2 MB",
        "Unpacking",
        f"Asterisk 22.10.1 in {prefix}",
    ]
    assert sorted(path.name for path in prefix.parent.iterdir()) == ["asterisk-root", "asterisk-root.lock"]


def test_a_second_fetch_downloads_nothing(mirror: Path, prefix: Path) -> None:
    fetch.fetch(prefix, print)
    fetch.fetch(prefix, print)
    assert (mirror / "log").read_text() == "download\n"


def test_two_fetches_at_once_download_once(mirror: Path, prefix: Path) -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: fetch.fetch(prefix, print), range(2))
    assert first == second
    assert (mirror / "log").read_text() == "download\n"


def test_an_unfit_private_asterisk_is_replaced(mirror: Path, prefix: Path) -> None:
    unpacked(prefix, version="22.9.0")
    assert fetch.fetch(prefix, print).version == (22, 10, 1)


@pytest.mark.parametrize(
    ("version", "reason"), [("1:22.11.0~dfsg-1", "ChanSpy"), ("1:20.9.3~dfsg-1", "older")]
)
def test_a_mirror_without_a_fit_version_is_refused_before_the_download(
    mirror: Path, prefix: Path, version: str, reason: str
) -> None:
    (mirror / "version").write_text(f"Package: asterisk\nVersion: {version}\n")
    with pytest.raises(NoAsteriskError, match=rf"{reason}(?s:.*)Install Asterisk 22\.10\.1"):
        fetch.fetch(prefix, print)
    assert not prefix.exists()
    assert not (mirror / "log").exists()


def test_a_fetch_that_fails_half_way_leaves_nothing_and_the_next_one_succeeds(
    mirror: Path, prefix: Path
) -> None:
    (mirror / "disk-full").touch()
    with pytest.raises(NoAsteriskError):
        fetch.fetch(prefix, print)
    assert [path.name for path in prefix.parent.iterdir()] == ["asterisk-root.lock"]
    (mirror / "disk-full").unlink()
    assert fetch.fetch(prefix, print).version == (22, 10, 1)


def test_what_a_killed_fetch_left_behind_is_cleared_away(mirror: Path, prefix: Path) -> None:
    unpacked(prefix.with_name("asterisk-root.growing") / "root", version="22.10.1")
    assert fetch.find_private(prefix) is None
    fetch.fetch(prefix, print)
    assert not prefix.with_name("asterisk-root.growing").exists()


def test_only_whole_distributions_are_asked_for_sid() -> None:
    rows = [
        "http://one.invalid/d/ bookworm main",
        "http://one.invalid/d/ bookworm-updates main",
        "http://one.invalid/s/ bookworm-security main",
        "http://one.invalid/d/ bookworm non-free-firmware",
        "http://three.invalid/ nodistro/12 main",
        "http://two.invalid/d/ trixie main",
        "",
    ]
    assert fetch.whole_distributions(rows) == [
        "http://one.invalid/d/",
        "http://two.invalid/d/",
    ]
