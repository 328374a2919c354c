"""The stored notebooks are what their source gives when it is run now, in both languages."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from lora_demo.commands import notebook
from lora_demo.pages.browser import notebook_html

# ipykernel warns on its own start that a local kernel talks over TCP; it says nothing about the notebook
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")


SOURCES = notebook.sources()


@pytest.fixture(scope="module", params=SOURCES, ids=lambda source: source.stem)
def source(request):
    return request.param


@pytest.fixture(scope="module")
def text(source):
    return source.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stored(source):
    return {lang: nbformat.read(notebook.notebook_file(source, lang), as_version=4) for lang in notebook.LANGUAGES}


def _code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_the_sources_are_found():
    assert [source.stem for source in SOURCES] == ["lora_from_scratch", "where_24_gb_go"]


@pytest.mark.timeout(900)
def test_running_it_again_gives_the_stored_outputs(text, stored):
    outputs = notebook.execute(notebook.build(text, "zh"))
    assert len(outputs) >= 9
    assert sum(bool(told) for told in outputs) >= 7
    for lang in notebook.LANGUAGES:
        assert [cell.outputs for cell in _code(stored[lang])] == outputs, f"{lang} is stale: run lora-demo notebook"


@pytest.mark.parametrize("lang", notebook.LANGUAGES)
def test_cells_are_those_of_the_source(text, stored, lang):
    fresh = notebook.build(text, lang)
    assert [(c.id, c.cell_type, c.source) for c in stored[lang].cells] == [
        (c.id, c.cell_type, c.source) for c in fresh.cells
    ]
    assert {cell.cell_type for cell in fresh.cells} == {"code", "markdown"}


def test_both_languages_have_the_same_code_and_as_many_texts(stored):
    zh, en = (stored[lang] for lang in notebook.LANGUAGES)
    assert [cell.source for cell in _code(zh)] == [cell.source for cell in _code(en)]
    assert [cell.cell_type for cell in zh.cells] == [cell.cell_type for cell in en.cells]
    assert not any(re.search("[\u4e00-\u9fff]", cell.source) for cell in en.cells)


def test_nothing_of_this_machine_is_stored(source):
    for lang in notebook.LANGUAGES:
        raw = notebook.notebook_file(source, lang).read_text(encoding="utf-8")
        assert not re.search(r"site-packages|/home/|/root/|stderr|\"error\"", raw)
        assert json.loads(raw)["nbformat"] == 4


def test_an_unknown_notebook_is_named():
    with pytest.raises(notebook.BadSource, match="no notebook nosuch: docs/notebooks has lora_from_scratch"):
        notebook.write(["nosuch"])


def test_a_failing_cell_is_an_error():
    with pytest.raises(CellExecutionError, match="AssertionError"):
        notebook.execute(notebook.build("# %%\nassert 1 == 2\n", "zh"))


def test_a_missing_language_is_named():
    with pytest.raises(notebook.BadSource, match=r"\['zh', 'zh'\]"):
        notebook.cells("# %% [zh]\n# 一\n# %% [zh]\n# 二\n")


def test_slim_keeps_text_and_drops_the_rest():
    html = (
        '<style>a{}</style><script>b</script><h2 id="">题<a class="anchor-link" href="#">¶</a></h2>'
        '<div class="jp-InputPrompt jp-InputArea-prompt">In [1]:</div>'
        '<div class="highlight-ipynb hl-python"><pre><span>x</span></pre></div>'
        '<div class="clipboard-copy-txt" id="cell-1">x</div>'
    )
    slim = notebook_html.slim(html, ["_1"])
    assert slim.startswith('<h2 id="_1">题<a class="headerlink" href="#_1"')
    assert slim.endswith('<div class="highlight"><pre><code><span>x</span></code></pre></div>')
    assert not re.search("style|script|In \\[1\\]|copy", slim)
