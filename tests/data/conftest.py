from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from lora_demo.data import tokenizer
from lora_demo.data.tokenizer import TextTokenizer

# A busy machine makes an example slow without making it wrong.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


def _neighbour(name: str) -> ModuleType:
    """importlib import mode puts no test folder on the path, so a shared file is loaded by its place."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def gemma_like() -> TextTokenizer:
    return tokenizer.checked(_neighbour("gemma_like").build(), "gemma-like")


@pytest.fixture(scope="session")
def gemma_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _neighbour("gemma_like").save(tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def sentencepiece_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _neighbour("gemma_like").save_sentencepiece(tmp_path_factory.mktemp("sentencepiece"))


@pytest.fixture(scope="session")
def nano() -> TextTokenizer:
    return tokenizer.nano()
