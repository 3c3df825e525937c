"""What processes cost, read from /proc: CPU seconds of one process, of its children, of the whole machine."""
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """CPU seconds since a process began."""

    own: float              #: user and system, all threads
    children: float         #: of children that have ended and been waited for, with theirs

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(self.own - before.own, self.children - before.children)


def spent(pid: int) -> Spent:
    """Of a living process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    user, system, waited_user, waited_system = (int(field) / _TICK for field in fields[11:15])
    return Spent(user + system, waited_user + waited_system)


def busy() -> float:
    """CPU seconds that all processors together have worked since boot (what the host took from us included)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def memory(pid: int) -> float:
    """Resident, MB."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0


def machine() -> dict[str, str]:
    """What the figures were measured on; no names, no paths."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    sipp = subprocess.run(["sipp", "-v"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"SIPp (v[0-9.]+)", sipp)
    return {
        "processors": f"{os.cpu_count()} × {model[1] if model else platform.machine()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SIPp": version[1] if version else "?",
    }
