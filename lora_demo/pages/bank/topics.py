"""The topics of the site, from `qa/topics.yaml`."""

from __future__ import annotations

from functools import lru_cache

from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.bank.question import Both, Text
from lora_demo.pages.bank.yaml_source import Strict, field_names, read_yaml, validate


class Topic(Strict):
    id: Text
    title: Both
    line: Both


@lru_cache(maxsize=4)
def parse_topics(path: str, text: str) -> tuple[Topic, ...]:
    """Topics in the order of the navigation; ids must differ."""
    source = read_yaml(path, text)
    topics = validate(list[Topic], source, field_names(Topic))
    ids = [topic.id for topic in topics]
    doubled = [i for i, one in enumerate(ids) if one in ids[:i]]
    if doubled:
        raise InvalidContent(source.problem((i, "id"), "this topic stands twice", "remove one") for i in doubled)
    return tuple(topics)
