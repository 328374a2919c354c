"""`qa/literature.yaml`: sources and the numbers taken from them; each number is a cited figure `<key>.<item>`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lora_demo.figures.registry import Definition, Number, both
from lora_demo.results.paths import literature_file

Checked = Literal["full text", "abstract or official page", "secondary source", "repository file", "the notes"]
CHECKED_ZH: dict[Checked, str] = {
    "full text": "读过全文",
    "abstract or official page": "读过摘要或官方页面",
    "secondary source": "只见于转述（带表号）",
    "repository file": "读过仓库里的数据文件",
    "the notes": "读过原始笔记",
}


class BrokenLiterature(ValueError):
    """The file of sources cannot be used; the message names the file, the source and the field."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Title(Strict):
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Item(Strict):
    """One number: its value in the figure's base unit, where it stands, and how far that was checked."""

    value: int | float
    unit: str = Field(min_length=1)
    where: str = Field(min_length=1)
    checked: Checked
    title: Title
    conditions: Title | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        # Texts pass: YAML reads 2e-5 as one. But true is no 1.
        if isinstance(value, bool):
            raise ValueError("must be a number")
        return value


class Source(Strict):
    """One paper, post, page or repository."""

    title: str = Field(min_length=1)
    authors: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    arxiv: str | None = Field(default=None, pattern=r"^\d{4}\.\d{4,5}$")
    url: str | None = Field(default=None, pattern=r"^https://")
    note: Title | None = None
    checked: Checked
    items: dict[str, Item] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _found_somewhere(self) -> Source:
        if self.arxiv is None and self.url is None and self.checked != "the notes":
            raise ValueError("give an arxiv id or a url")
        return self


# libyaml's parser is ten times faster; not every platform's wheel has it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):
    """YAML's own loader lets a later key overwrite an earlier one; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


@cache
def read(path: Path) -> dict[str, Source]:
    """All sources by key. Raises BrokenLiterature."""
    raw = _parsed(path)
    if not isinstance(raw, dict):
        raise BrokenLiterature(f"{path}: the top level must map a key to a source")
    return {str(key): _source(path, key, entry) for key, entry in raw.items()}


def _parsed(path: Path) -> object:
    if not path.is_file():
        # A pipe would wait for somebody to write.
        where = "the command works in a checkout, or with LORA_DEMO_ROOT naming one"
        raise BrokenLiterature(f"{path}: {'is no regular file' if path.exists() else 'is not there'}; {where}")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenLiterature(f"{path}: {error}") from error
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        # YAML's own types, dates and numbers among them, raise whatever Python does on their text.
        message = f"a value is not what it looks like: {error}; quote a date, number or `!!` meant as text"
        raise BrokenLiterature(f"{path}: {message}") from error


def _source(path: Path, key: object, entry: object) -> Source:
    try:
        return Source.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BrokenLiterature(f"{path}: source {key!r}, field {field or '(whole)'}: {first['msg']}") from error


def cited(name: str) -> Number:
    """The value of `<key>.<item>`, for arithmetic on numbers that papers print."""
    key, _, item = name.partition(".")
    sources = read(literature_file())
    if key not in sources or item not in sources[key].items:
        raise BrokenLiterature(f"{literature_file()}: has no item {item!r} under {key!r}")
    return sources[key].items[item].value


def cited_definitions(path: Path) -> Iterator[Definition]:
    """One definition per item of every source."""
    for key, source in read(path).items():
        for name, item in source.items.items():
            yield Definition(
                name=f"{key}.{name}",
                unit=item.unit,
                kind="cited",
                tolerance=0.0,
                source=key,
                title=item.title.model_dump(),
                conditions=_conditions(item),
                compute=partial(_value, item),
            )


def _value(item: Item) -> Number:
    return item.value


def _conditions(item: Item) -> dict[str, str]:
    own = item.conditions
    zh = [own.zh] if own else []
    en = [own.en] if own else []
    return both(
        "；".join([*zh, f"出处：{item.where}（{CHECKED_ZH[item.checked]}）"]),
        "; ".join([*en, f"from: {item.where} (checked: {item.checked})"]),
    )
