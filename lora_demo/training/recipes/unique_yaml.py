"""YAML as recipes and searches mean it: no key is lost silently, and 1e-3 is a number."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml


class NotYAML(ValueError):
    """Text that YAML cannot be read from; the message says where and why."""


class _UniqueLoader(yaml.SafeLoader):
    """YAML without silent loss: a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                words = f"{key!r} cannot name a field; write one word before the colon"
                raise yaml.constructor.ConstructorError(None, None, words, key_node.start_mark)
            if key in seen:
                words = f"{key!r} stands twice; keep one"
                raise yaml.constructor.ConstructorError(None, None, words, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3 as text; recipes mean the number.
_NUMBER = r"^[-+]?(\d[\d_]*\.?[\d_]*|\.[\d_]+)([eE][-+]?\d+)?$"
_UniqueLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_NUMBER), list("-+.0123456789"))


def read(text: str) -> Any:
    """What the text says. Raises NotYAML."""
    try:
        return yaml.load(text, Loader=_UniqueLoader)
    except RecursionError:
        raise NotYAML("nested too deeply, or inside itself; write it flat") from None
    # Besides YAML's own errors: dates and numbers that there are not.
    except (yaml.YAMLError, ValueError) as error:
        raise NotYAML(str(error)) from error
