"""One set of method modules to be judged: the package's own, or the same with some files' text replaced."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, MappingProxyType, ModuleType
from typing import Any

PACKAGE = "lora_demo.methods"
FOLDER = Path(__file__).resolve().parents[1]


class UnknownModule(ValueError):
    """A replaced module that the package does not have; the message names it."""


class Implementation:
    """Attribute access yields method modules: `implementation.lora.LoRALinear`, `implementation.surgery.find`.

    replaced  module name -> source text that stands in for that file, e.g. {"lora": text}. Every module that imports a
              replaced one is executed anew against it, so that a fault in `module.py` reaches LoRA, DoRA and the rest;
              nothing is entered into `sys.modules`. Empty: the package's own modules.
    """

    def __init__(self, replaced: Mapping[str, str] = MappingProxyType({})) -> None:
        for name in replaced:
            if not (FOLDER / f"{name}.py").is_file():
                raise UnknownModule(f"no method module {name!r} in {FOLDER.name}/ that a text could replace")
        self._replaced = dict(replaced)
        self._loaded: dict[str, ModuleType] = {}

    @property
    def loaded(self) -> frozenset[str]:
        """Names of the modules used so far: what a judgement can depend on."""
        return frozenset(self._loaded)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._loaded:
            self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> None:
        # Also the private copy needs its namesake in sys.modules: dataclasses look their annotations up there.
        own = importlib.import_module(f"{PACKAGE}.{name}")
        if not self._replaced:
            self._loaded[name] = own
            return
        module = self._loaded[name] = ModuleType(own.__name__)
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import}
        exec(_compiled(name, self._replaced.get(name)), vars(module))

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name == PACKAGE:
            for part in fromlist or ():
                getattr(self, part)
            return self
        if name.startswith(PACKAGE + ".") and "." not in name.removeprefix(PACKAGE + "."):
            return getattr(self, name.removeprefix(PACKAGE + "."))
        return builtins.__import__(name, globals, locals, fromlist or (), level)


@cache
def _compiled(name: str, text: str | None) -> CodeType:
    path = FOLDER / f"{name}.py"
    return compile(path.read_text(encoding="utf-8") if text is None else text, str(path), "exec", dont_inherit=True)


OURS = Implementation()
"""The package's own modules."""
