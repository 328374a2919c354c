"""Where every command begins and ends: output that cannot be written ends in one line, not in a traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any

from typer.core import TyperGroup

FAILED = 1


class Entry(TyperGroup):
    """The commands, with what they print looked after. Exit 1: it could not be written."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; a reader that has gone away (`| head`) ends it without a word."""
        _print_what_has_no_encoding()
        try:
            return self._ended(*args, **kwargs)
        except OSError as error:
            if error.errno != errno.EPIPE:
                if not _is_of_stdout(error):
                    raise
                _complain(f"the output cannot be written: {error.strerror or error}; send it where there is room")
            _forget_stdout()
            sys.exit(FAILED)

    def _ended(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except SystemExit:
            # What waits in the buffer would fail at the interpreter's end, where nobody can catch it.
            if sys.stdout is not None:
                sys.stdout.flush()
            raise


def _print_what_has_no_encoding() -> None:
    """Half a character in a name, or Chinese on a terminal without it: shown as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_of_stdout(error: OSError) -> bool:
    """Text that could not be written is still in the buffer; without a buffer only the full disk tells."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return True
    return error.errno == errno.ENOSPC and error.filename is None


def _forget_stdout() -> None:
    """The interpreter flushes once more at its end: let that go nowhere."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(message: str) -> None:
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
