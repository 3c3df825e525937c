"""The porch: the guard: starts the service, watches its heartbeat, starts it again. A few lines, no dependencies.

The service writes a byte into a pipe every second. Silence for five seconds (loop blocked, process stopped) or its end
brings a new one. SIGTERM or SIGINT to the guard stops both; Asterisk, which has the calls, is nobody's child.
"""
import os
import select
import signal
import subprocess
import sys
import time

HEARTBEAT_FD = "KENTONGAN_HEARTBEAT_FD"
SILENT_FOR = 5.0        #: seconds without a heartbeat, then it is killed
START_FOR = 60.0        #: seconds that the first heartbeat may take (migration, Asterisk's start)
LAST_WORDS = 15.0       #: seconds from the last heartbeat to the end
LONGEST_PAUSE = 5.0     #: seconds between starts of a service that fails at once
#: The service's way to say that starting again is useless (settings, port taken, another one runs).
NO_USE = 78


def watch(command: list[str]) -> int:
    """Keep `command` running until we are told to stop; returns its exit status then."""
    stopping = False
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
        _until_silent(reading)
        os.close(reading)
        if process.poll() is None and not stopping:
            _say("the service gives no sign of life: it is killed and started again")
            process.kill()
        status = _ended(process)
        if stopping or status == NO_USE:
            return status
        _say(f"the service ended with status {status}: it is started again")
        pause = 0.1 if time.monotonic() - started > 60 else min(LONGEST_PAUSE, pause * 2)
        time.sleep(pause)


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Its exit status; it is killed if it takes too long over its last words."""
    try:
        return process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        _say("the service does not end: it is killed")
        process.kill()
        return process.wait()


def _until_silent(reading: int) -> None:
    """Returns when the pipe has been closed (the service has ended) or silent for too long."""
    patience = START_FOR
    while True:
        try:
            ready, _, _ = select.select([reading], [], [], patience)
        except InterruptedError:
            continue
        if not ready or not os.read(reading, 4096):
            return
        patience = SILENT_FOR


def _say(text: str) -> None:
    print(f"guard: {text}", file=sys.stderr, flush=True)
