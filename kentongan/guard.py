"""The porch: the guard: starts the service, watches its heartbeat, starts it again. A few lines, no dependencies.

The service writes a byte into a pipe every second: STARTING until its doors are open, READY from then on. Silence for
five seconds (loop blocked, process stopped) or its end brings a new one. If none is ready for twenty seconds, whoever
waits in its hands is sent the way out (rescue.py). SIGTERM or SIGINT to the guard stops both; Asterisk, which has the
calls, is nobody's child.
"""
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

HEARTBEAT_FD = "KENTONGAN_HEARTBEAT_FD"
STARTING, READY = b"s", b"."
SILENT_FOR = 5.0        #: seconds without a heartbeat, then it is killed
START_FOR = 60.0        #: seconds that the first heartbeat may take (migration, Asterisk's start)
LAST_WORDS = 15.0       #: seconds from the last heartbeat to the end
LONGEST_PAUSE = 5.0     #: seconds between starts of a service that fails at once
BACK_WITHIN = 20.0      #: seconds without a service that is ready, then the waiting are sent the way out
#: The service's way to say that starting again is useless (settings, port taken, another one runs).
NO_USE = 78


def watch(command: list[str], rescue: Callable[[], int] = lambda: 0) -> int:
    """Keep `command` running until we are told to stop; returns its exit status then.

    `rescue` sends the waiting the way out and says how many; it may raise anything if that cannot be done now.
    """
    stopping = False
    absence = Absence(rescue)
    process: subprocess.Popen[bytes] | None = None

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        if process is not None:
            process.terminate()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    pause = 0.1
    while True:
        started = time.monotonic()
        reading, writing = os.pipe()
        process = subprocess.Popen(command, pass_fds=[writing], env={**os.environ, HEARTBEAT_FD: str(writing)},
                                   start_new_session=True)
        os.close(writing)
        if stopping:
            process.terminate()
        ended = _until_silent(reading, absence)
        os.close(reading)
        if not ended and not stopping:
            _say("the service gives no sign of life: it is killed and started again")
            process.kill()
        status = _ended(process)
        if stopping or status == NO_USE:
            return status
        _say(f"the service ended with status {status}: it is started again")
        pause = 0.1 if time.monotonic() - started > 60 else min(LONGEST_PAUSE, pause * 2)
        time.sleep(pause)
        absence.goes_on()


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Its exit status; it is killed if it takes too long over its last words."""
    try:
        return process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        _say("the service does not end: it is killed")
        process.kill()
        return process.wait()


class Absence:
    """How long no service has been ready, and what is done about those who wait for it."""

    def __init__(self, rescue: Callable[[], int]) -> None:
        self._rescue, self._since = rescue, time.monotonic()

    def ends(self) -> None:
        """A service is ready."""
        self._since = time.monotonic()

    def goes_on(self) -> None:
        """None is. Too long: who waits is sent the way out; again at every look, since others may have been found."""
        if time.monotonic() - self._since < BACK_WITHIN:
            return
        try:
            if rescued := self._rescue():
                _say(f"no service for {BACK_WITHIN:.0f} s: {rescued} waiting were sent the way out")
        except Exception as fault:  # no Asterisk either, a half-started one, no password yet: the guard must live
            _say(f"who waits could not be sent the way out: {type(fault).__name__}")


def _until_silent(reading: int, absence: Absence) -> bool:
    """Returns when the pipe has been closed (True: the service has ended) or silent for too long."""
    patience, heard = START_FOR, time.monotonic()
    while True:
        try:
            ready, _, _ = select.select([reading], [], [], min(1.0, patience))
        except InterruptedError:
            continue
        if ready:
            if not (beats := os.read(reading, 4096)):
                return True
            patience, heard = SILENT_FOR, time.monotonic()
            if READY in beats:
                absence.ends()
        elif time.monotonic() - heard > patience:
            return False
        absence.goes_on()


def _say(text: str) -> None:
    print(f"guard: {text}", file=sys.stderr, flush=True)
