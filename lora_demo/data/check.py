"""Every problem of a data file at once: not only the first one, and before training starts instead of an hour later."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lora_demo.data import images
from lora_demo.data.folder import ImageFolder, OutsideFolder
from lora_demo.data.items import UNKNOWN_ID, DataError, Finding, Problem, findings, id_of, image_of, turns
from lora_demo.data.json_index import ItemIndex, index_items
from lora_demo.data.labels import IGNORE, IMAGE_ID, Encoded, encode
from lora_demo.data.tokenizer import TextTokenizer

KINDS = frozenset(
    [
        "control-mark",
        "duplicate-id",
        "empty-answer",
        "empty-question",
        "exif-orientation",
        "image-in-answer",
        "image-missing",
        "image-unreadable",
        "image-without-mark",
        "leading-gpt-turn",
        "mark-without-image",
        "missing-field",
        "no-answer",
        "no-human-turn",
        "not-alternating",
        "not-an-object",
        "not-text",
        "nothing-left",
        "odd-field",
        "outside-folder",
        "several-images",
        "several-marks",
        "too-long",
    ]
)
"""Every kind of problem there is; `allow` takes these names."""
Rows = Callable[[int], Collection[int]]
"""From a file's number of items to the rows that matter."""
Picture = tuple[str, bool]
"""A path, and whether the file is decoded."""
BLOCK = 256
"""Items whose pictures are decoded side by side."""
SHOWN = 5


@dataclass(frozen=True)
class LengthLimit:
    """What decides whether a conversation is too long: its tokens, and `image_tokens` positions per picture."""

    tokenizer: TextTokenizer
    image_tokens: int
    max_length: int


@dataclass(frozen=True)
class Closely:
    """Which rows are looked at closely, and what that means; of the others only item and header are read."""

    rows: Collection[int]
    decode: bool
    lengths: LengthLimit | None

    def decodes(self, row: int) -> bool:
        return self.decode and row in self.rows

    def measured(self, row: int) -> LengthLimit | None:
        return self.lengths if row in self.rows else None


@dataclass(frozen=True)
class Report:
    """All problems in file order. Only errors make a file unfit; warnings say what training will silently do."""

    file: str
    images: str
    items: int
    decoded: bool
    lengths_checked: bool
    problems: tuple[Problem, ...] = field(repr=False)

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    @property
    def kinds(self) -> dict[str, int]:
        """How often each kind occurs, most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"errors": self.errors, "warnings": self.warnings, "kinds": self.kinds}


def check(
    file: Path,
    folder: Path,
    *,
    decode: bool = True,
    lengths: LengthLimit | None = None,
    allow: Collection[str] = (),
    rows: Rows | None = None,
) -> Report:
    """Look at every item and every picture.

    decode   decode each picture completely; off, only its header is read and cut-off files pass
    lengths  also tokenise, to find what will be cut
    allow    kinds of problems that count as warnings
    rows     of a file with so many items, those that are decoded and tokenised; all if not given

    Raises BrokenFile if the file is not JSON, DataError if it is an empty list, NotADirectoryError without the folder.
    """
    if unknown := set(allow) - KINDS:
        raise ValueError(
            f"there is no kind of problem called {sorted(unknown)[0]!r}; there are {', '.join(sorted(KINDS))}"
        )
    place = ImageFolder(folder)
    index = index_items(file)
    if len(index) == 0:
        raise DataError(f"{file}: an empty list; there is nothing to train on or to ask")
    closely = Closely(rows(len(index)) if rows else range(len(index)), decode, lengths)
    problems = (
        replace(problem, severity="warning") if problem.kind in allow else problem
        for problem in _problems(index, place, closely)
    )
    return Report(str(file), str(folder), len(index), decode, lengths is not None, tuple(problems))


def require_clean(
    file: Path,
    folder: Path,
    *,
    decode: bool = True,
    lengths: LengthLimit | None = None,
    allow: Collection[str] = (),
    rows: Rows | None = None,
) -> Report:
    """The report of a file without errors; otherwise DataError with the first ones. Training calls it at the start."""
    report = check(file, folder, decode=decode, lengths=lengths, allow=allow, rows=rows)
    if report.errors == 0:
        return report
    first = [str(problem) for problem in report.problems if problem.severity == "error"][:SHOWN]
    more = f"\n  ... and {report.errors - SHOWN} more" if report.errors > SHOWN else ""
    listed = "\n  ".join([f"{file}: {report.errors} errors in {report.items} items; not started", *first])
    raise DataError(f"{listed}{more}\nSee all: lora-demo data check {file} --images {folder}")


def _problems(index: ItemIndex, folder: ImageFolder, closely: Closely) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    pictures: dict[Picture, tuple[Finding, ...]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for begin in range(0, len(index), BLOCK):
            block = {i: index.item(i) for i in range(begin, min(begin + BLOCK, len(index)))}
            wanted = {(name, closely.decodes(i)) for i, item in block.items() if (name := image_of(item))}
            new = sorted(wanted - set(pictures))
            found = pool.map(lambda picture: tuple(_picture_findings(folder, *picture)), new)
            pictures |= zip(new, found, strict=True)
            for i, item in block.items():
                yield from _item_problems(i, item, seen, folder, pictures, closely)


def _item_problems(
    index: int,
    item: Any,
    seen: dict[str, int],
    folder: ImageFolder,
    pictures: dict[Picture, tuple[Finding, ...]],
    closely: Closely,
) -> Iterator[Problem]:
    name, own = id_of(item), findings(item)
    for found in own:
        yield Problem(index, name, found.field, found.kind, found.message, found.severity)
    if name != UNKNOWN_ID and (first := seen.setdefault(name, index)) != index:
        yield Problem(index, name, "id", "duplicate-id", f"item {first} has the same id")
    if image := image_of(item):
        for found in pictures[image, closely.decodes(index)]:
            path = str(folder.root / image)
            yield Problem(index, name, found.field, found.kind, found.message, found.severity, path)
    if (lengths := closely.measured(index)) and not any(found.severity == "error" for found in own):
        for found in _length_findings(encode(turns(item), lengths.tokenizer), lengths):
            yield Problem(index, name, found.field, found.kind, found.message, found.severity)


def _picture_findings(folder: ImageFolder, name: str, decode: bool) -> Iterator[Finding]:
    try:
        path = folder.path(name)
        if not path.exists():
            yield Finding("image", "image-missing", "there is no such file")
        elif (turned := images.inspect(path, decode=decode)) != images.UPRIGHT:
            problem = f"EXIF orientation {turned} is ignored in training: the model sees it turned; store it upright"
            yield Finding("image", "exif-orientation", problem, "warning")
    except OutsideFolder as error:
        yield Finding("image", "outside-folder", str(error))
    except images.ImageError as error:
        yield Finding("image", "image-unreadable", str(error))
    except OSError as error:  # a name longer than the file system takes, or a folder that may not be read
        yield Finding("image", "image-missing", f"cannot be reached: {error.strerror or error}")


def _length_findings(encoded: Encoded, lengths: LengthLimit) -> Iterator[Finding]:
    total = encoded.length_with_images(lengths.image_tokens)
    if total <= lengths.max_length:
        return
    kept = _supervised_within(encoded, lengths)
    problem = f"{total} positions, {lengths.max_length} allowed; {kept} of {encoded.supervised} answer tokens remain"
    if kept:
        yield Finding("conversations", "too-long", problem, "warning")
    else:
        yield Finding("conversations", "nothing-left", problem)


def _supervised_within(encoded: Encoded, lengths: LengthLimit) -> int:
    position = kept = 0
    for token, label in zip(encoded.input_ids, encoded.labels, strict=True):
        position += lengths.image_tokens if token == IMAGE_ID else 1
        kept += position <= lengths.max_length and label != IGNORE
    return kept
