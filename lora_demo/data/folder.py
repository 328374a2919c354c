"""The image folder: a path from a data file leads to a file inside it, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath


class OutsideFolder(ValueError):
    """A path that leaves the image folder; the message names path and reason."""


@dataclass(frozen=True)
class ImageFolder:
    """`root` must exist. Data files come from strangers, so every path is checked before it is opened."""

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise NotADirectoryError(f"{self.root}: no such image folder")
        object.__setattr__(self, "root", self.root.resolve())

    def path(self, name: str) -> Path:
        """The real path of a picture, which lies inside the folder after every `..` and link has been followed."""
        if "\0" in name:
            raise OutsideFolder(f"{name!r} contains a zero byte")
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or PureWindowsPath(name).root:
            raise OutsideFolder(f"{name!r} is absolute; write it relative to the image folder")
        try:
            real = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise OutsideFolder(f"{name!r} cannot be followed: {error}") from error
        if not real.is_relative_to(self.root):
            raise OutsideFolder(f"{name!r} leads out of the image folder, to {real}")
        return real
