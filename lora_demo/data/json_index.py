"""Where each item of a long JSON list begins and ends, found in one streaming pass without parsing the items.

Structure is all that the pass looks at: brackets outside strings, quotes that no backslash escapes. NumPy does it on
chunks, so a file of a gigabyte is indexed in seconds and only the offsets stay in memory, 16 bytes per item. An item
is parsed when it is asked for. If the structure does not close, the file is parsed item by item to find the place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

CHUNK = 256 << 10
"""Small enough for the processor's cache: larger chunks cost about half as much again."""
MAX_ITEM = 64 << 20
"""No conversation is that long; a file without structure would otherwise be swallowed whole."""
MAX_DEPTH = 64
WHITESPACE = b" \t\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _ESCAPE, _OPEN, _CLOSE = b'"\\{}'


class BrokenFile(ValueError):
    """A file that is not a JSON list of items; the message gives path, line, column and byte offset."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        line, column = _line_and_column(path, offset)
        super().__init__(f"{path}, line {line}, column {column} (byte {offset}): {reason}")
        self.path, self.offset, self.line, self.column, self.reason = path, offset, line, column, reason


@dataclass(frozen=True)
class ItemIndex:
    """Byte offsets of the items. Safe to pickle and to use from several processes: no file stays open."""

    path: Path
    starts: np.ndarray
    ends: np.ndarray
    size: int
    modified_ns: int

    def __len__(self) -> int:
        return len(self.starts)

    def item(self, index: int) -> Any:
        """The parsed item. Raises BrokenFile if it is not JSON or if the file has changed since it was indexed."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path}: item {index} of {len(self)}")
        begin, end = int(self.starts[index]), int(self.ends[index])
        with self.path.open("rb") as stream:
            self._check_unchanged()
            stream.seek(begin)
            return parse(self.path, begin, stream.read(end - begin))

    def _check_unchanged(self) -> None:
        now = self.path.stat()
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise BrokenFile(self.path, 0, "the file has changed since it was opened; open it again")


def index_items(path: Path) -> ItemIndex:
    """Index a file that holds one JSON list. Raises BrokenFile with the position, OSError if it cannot be read."""
    if not path.is_file():
        # A pipe would wait for somebody to write, and a device never ends.
        found = "not a regular file; write the list into one" if path.exists() else "no such file; name a JSON file"
        raise FileNotFoundError(f"{path}: {found}")
    scan = _Scan(path)
    status = path.stat()
    with path.open("rb") as stream:
        scan.skip_mark(stream)
        while chunk := _read_chunk(stream):
            scan.feed(chunk)
    scan.finish()
    starts, ends = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in (scan.starts, scan.ends))
    return ItemIndex(path, starts, ends, status.st_size, status.st_mtime_ns)


def parse(path: Path, begin: int, raw: bytes) -> Any:
    """One item from its bytes; a key that stands twice is an error, because one of the values would be lost."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_refuse_duplicate_keys)
    except json.JSONDecodeError as error:
        offset = begin + len(error.doc[: error.pos].encode("utf-8"))
        raise BrokenFile(path, offset, f"not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise BrokenFile(path, begin + error.start, "not UTF-8 text") from error
    except RecursionError as error:
        raise BrokenFile(path, begin, "nested too deep to be read") from error
    except ValueError as error:  # a number with thousands of digits
        raise BrokenFile(path, begin, f"the item that starts here cannot be read: {error}") from error
    except _DuplicateKey as error:
        raise BrokenFile(path, begin, f"the item that starts here has the key {error.args[0]!r} twice") from error


class _DuplicateKey(Exception):
    pass


class _Scan:
    """State between chunks: where we are, how deep, whether inside a string, what stood since the last item."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.depth = 0
        self.inside_string = False
        self.gap = b""
        self.expected = b"["
        self.starts: list[np.ndarray] = []
        self.ends: list[np.ndarray] = []
        self.last_end = 0
        self.open_since: int | None = None

    def skip_mark(self, stream: IO[bytes]) -> None:
        if stream.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK:
            self.offset = self.last_end = len(BYTE_ORDER_MARK)
        else:
            stream.seek(0)

    def feed(self, chunk: bytes) -> None:
        where, step = self._brackets(np.frombuffer(chunk, np.uint8))
        depth = self.depth + np.cumsum(step)
        self._check_depth(depth > MAX_DEPTH, where, f"nested deeper than {MAX_DEPTH} levels")
        self._take_items(chunk, where[(step > 0) & (depth == 2)], where[(step < 0) & (depth == 1)] + 1)
        self._check_depth(depth < 0, where, "more brackets are closed than were opened")
        self.depth = int(depth[-1]) if len(depth) else self.depth
        self.offset += len(chunk)
        if self.open_since is not None and self.offset - self.open_since > MAX_ITEM:
            self._fail(f"an item is longer than {MAX_ITEM} bytes; is this a list of conversations?")

    def finish(self) -> None:
        if self.inside_string or self.open_since is not None:
            self._fail("the file ends inside an item")
        if self.expected == b"[" and self.gap == b"[]":
            return
        if self.gap != b"]":
            self._fail(self._ending())

    def _ending(self) -> str:
        if any(len(part) for part in self.starts):
            return f"the list does not end with ']' but with {self.gap[:20]!r}"
        if self.gap.startswith(b"[") and len(self.gap) > 1:
            return f"expected a JSON list of items, which are objects {{...}}, found {self.gap[1:21]!r}"
        return "expected a JSON list of items: [{...}, ...]"

    def _brackets(self, buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the brackets outside strings, and +1 or -1 for each."""
        folded = buffer | 0x20  # [ and ] become { and }
        where = np.flatnonzero((buffer == _QUOTE) | (folded == _OPEN) | (folded == _CLOSE))
        kinds = buffer[where]
        is_quote = kinds == _QUOTE
        borders = is_quote & ~_escaped(buffer, where, is_quote)
        inside = np.logical_xor.accumulate(borders) ^ self.inside_string
        outside = ~is_quote & ~inside
        self.inside_string = bool(inside[-1]) if len(inside) else self.inside_string
        return where[outside], np.where(kinds[outside] | 0x20 == _OPEN, 1, -1)

    def _take_items(self, chunk: bytes, opened: np.ndarray, closed: np.ndarray) -> None:
        """Note the items that this chunk opens and closes, and check what stands between them."""
        gap_from = [0, *closed.tolist()]
        if self.open_since is not None:
            if not len(closed):
                return
            gap_from = gap_from[1:]
        self.starts.append(opened + self.offset)
        self._close(closed)
        for begin, end in zip(gap_from, opened.tolist(), strict=False):
            self._check_gap(chunk[begin:end], self.offset + begin)
        if len(gap_from) == len(opened):
            self.open_since = int(opened[-1]) + self.offset
        else:
            self.gap += chunk[gap_from[-1] :].translate(None, WHITESPACE)[:MAX_DEPTH]

    def _close(self, closed: np.ndarray) -> None:
        self.open_since = None
        self.ends.append(closed + self.offset)
        if len(closed):
            self.last_end = int(closed[-1]) + self.offset

    def _check_gap(self, between: bytes, at: int) -> None:
        found = self.gap + between.translate(None, WHITESPACE)
        if found != self.expected:
            self._fail(f"expected {self.expected.decode()!r} in front of an item, found {found[:20]!r}", at)
        self.expected, self.gap = b",", b""

    def _check_depth(self, wrong: np.ndarray, where: np.ndarray, reason: str) -> None:
        if wrong.any():
            self._fail(reason, self.offset + int(where[wrong.argmax()]))

    def _fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise at the first item that does not parse; if all do, at `at` or behind the last one that closed."""
        starts, ends = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in (self.starts, self.ends))
        with self.path.open("rb") as stream:
            for begin, end in zip(starts.tolist(), ends.tolist(), strict=False):
                stream.seek(begin)
                parse(self.path, begin, stream.read(end - begin))
            if self.open_since is not None:
                stream.seek(self.open_since)
                parse(self.path, self.open_since, stream.read(MAX_ITEM))
        raise BrokenFile(self.path, self.last_end if at is None else at, reason)


def _escaped(buffer: np.ndarray, where: np.ndarray, is_quote: np.ndarray) -> np.ndarray:
    """Which of the quotes have an odd number of backslashes in front of them; few have any."""
    escaped = np.zeros(len(where), bool)
    active = np.flatnonzero(is_quote & (buffer[where - 1] == _ESCAPE) & (where > 0))
    back = 1
    while len(active):
        escaped[active] ^= True
        back += 1
        at = where[active] - back
        active = active[(at >= 0) & (buffer[at] == _ESCAPE)]
    return escaped


def _read_chunk(stream: IO[bytes]) -> bytes:
    """The next bytes, never ending in a backslash, so that no escape is cut from what it escapes."""
    chunk = stream.read(CHUNK)
    while chunk.endswith(b"\\") and (more := stream.read(1)):
        chunk += more
    return chunk


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(next(key for key in keys if keys.count(key) > 1))
    return found


def _line_and_column(path: Path, offset: int) -> tuple[int, int]:
    """Both from 1; the column counts bytes."""
    line, column = 1, offset + 1
    with path.open("rb") as stream:
        seen = 0
        while seen < offset and (chunk := stream.read(min(CHUNK, offset - seen))):
            line += chunk.count(b"\n")
            if (last := chunk.rfind(b"\n")) >= 0:
                column = offset - (seen + last)
            seen += len(chunk)
    return line, column
