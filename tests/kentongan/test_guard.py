"""The guard watches a real process: each story gives it a small one to watch."""
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUARD = """
import sys
from kentongan import guard
guard.SILENT_FOR, guard.BACK_WITHIN = 0.5, 1.0
sys.exit(guard.watch([sys.executable, '-c', sys.argv[1]], lambda: 3))
"""
BEATING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), sys.exit(0)))
print("up", os.getpid(), flush=True)
while True:
    os.write(int(os.environ["KENTONGAN_HEARTBEAT_FD"]), b".")
    time.sleep(0.1)
"""

Watch = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def guarded() -> Iterator[Watch]:
    started: list[subprocess.Popen[str]] = []

    def start(service: str) -> subprocess.Popen[str]:
        started.append(subprocess.Popen([sys.executable, "-c", GUARD, service], cwd=ROOT, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for guard in started:
        guard.terminate()
        guard.communicate(timeout=20)


def until(guard: "subprocess.Popen[str]", word: str) -> str:
    """The next line of guard or service that has the word."""
    assert guard.stdout is not None
    for line in guard.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without a word of {word!r}")


def pid_of(line: str) -> int:
    return int(line.split()[1])


def test_a_killed_service_is_started_again(guarded):
    guard = guarded(BEATING)
    first = pid_of(until(guard, "up"))
    os.kill(first, signal.SIGKILL)
    assert pid_of(until(guard, "up")) != first


def test_a_service_that_is_frozen_is_killed_and_started_again(guarded):
    guard = guarded(BEATING)
    first = pid_of(until(guard, "up"))
    os.kill(first, signal.SIGSTOP)
    until(guard, "no sign of life")
    assert pid_of(until(guard, "up")) != first


def test_stopping_the_guard_stops_the_service_in_good_order(guarded):
    guard = guarded(BEATING)
    until(guard, "up")
    guard.send_signal(signal.SIGTERM)
    until(guard, "told to stop")
    assert guard.wait(20) == 0


def test_a_service_that_says_it_is_no_use_is_not_started_again(guarded):
    guard = guarded("import sys; sys.exit(78)")
    assert guard.wait(20) == 78


def test_who_waits_is_sent_the_way_out_when_no_service_becomes_ready(guarded):
    """It starts, and never gets further: its database is away, say."""
    guard = guarded(BEATING.replace('b"."', 'b"s"'))
    assert "3 waiting were sent the way out" in until(guard, "no service")


def test_who_waits_is_sent_the_way_out_when_every_start_fails(guarded):
    until(guarded("import sys; sys.exit(1)"), "no service")


def test_a_service_that_is_ready_keeps_its_callers(guarded):
    guard = guarded(BEATING + "    print('beat', flush=True)")
    for _ in range(15):
        assert "no service" not in until(guard, "")
