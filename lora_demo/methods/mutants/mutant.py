"""A mutant: one small edit of one method file, and what it breaks, in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from lora_demo.methods.properties.implementation import FOLDER, Implementation


class StaleMutant(ValueError):
    """The text that a mutant edits is no longer in its file, or not once; the message names mutant and file."""


@dataclass(frozen=True)
class Mutant:
    """`before` stands exactly once in `lora_demo/methods/<module>.py`, `after` is what the slip makes of it.

    zh, en  what is wrong, as an interviewer would say it
    why     (zh, en) why people write it
    """

    name: str
    module: str
    before: str
    after: str
    zh: str
    en: str
    why: tuple[str, str]

    def text(self) -> str:
        """The file with the slip in it."""
        path = FOLDER / f"{self.module}.py"
        source = path.read_text(encoding="utf-8")
        if (found := source.count(self.before)) != 1:
            raise StaleMutant(f"mutant {self.name}: its text stands {found} times in {path.name}, it must stand once")
        return source.replace(self.before, self.after)

    def implementation(self) -> Implementation:
        return Implementation({self.module: self.text()})
