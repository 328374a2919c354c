"""What an answer may not do: write files, start processes, use the network, load native code, use up the machine.

Python cannot lock in code that runs in its own process. This is a guard against accidents and against files from
others that do the obvious; it is not a prison, and code that nobody has read still deserves a look before it is run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOM = 4 << 30
"""Bytes an answer may take beyond what the judge has loaded."""
FORBIDDEN = (
    *("ctypes.", "os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn", "os.startfile", "os.system"),
    *("pty.", "shutil.", "socket.", "subprocess.", "urllib.", "winreg.", "_winapi."),
    *("os.chflags", "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "os.utime", "os.setxattr", "os.removexattr"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class NotAllowed(PermissionError):
    """Something that no exercise asks for; the message names it."""


def put_on(seconds: int) -> None:
    """From now on, for good: limits on this process, and an audit hook, which Python code cannot take off."""
    _limit(seconds)
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(FORBIDDEN):
        raise NotAllowed(f"{event} is not allowed here: no exercise needs files, processes or the network")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING and arguments[0] != os.devnull:
        raise NotAllowed(f"writing {arguments[0]!r} is not allowed here: no exercise needs it")


def _limit(seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the judge's own clock still ends what takes too long.
        return
    # PyTorch writes files from C++, where no audit hook looks.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    pages = Path("/proc/self/statm")
    if pages.is_file():
        most = int(pages.read_text().split()[0]) * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
