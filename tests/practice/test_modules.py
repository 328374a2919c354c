"""The app's pure modules under Node's own test runner, and all of it under TypeScript's checker."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

from lora_demo.pages.browser import vendored
from tests.practice.conftest import ROOT, Run

APP = ROOT / "docs" / "practice"
MAX_LINES = 300


def test_unit_tests_pass(node: Run) -> None:
    files = sorted(Path(__file__).parent.glob("*.test.mjs"))
    assert len(files) >= 7
    done = node("--test", "--test-reporter=tap", *map(str, files))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= 40, done.stdout[-2000:]


def type_checker() -> str:
    """TypeScript's checker from its own package, fetched once like ts-fsrs."""
    folder = ROOT / ".cache" / f"typescript-{vendored.pinned(ROOT, 'typescript')[0]}"
    if not (folder / "complete").exists():
        with tarfile.open(fileobj=io.BytesIO(vendored.fetch(ROOT, "typescript")), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
        (folder / "complete").touch()
    return str(folder / "package/lib/tsc.js")


def test_types_check(node: Run) -> None:
    """Strict mode over the plain modules."""
    command = [type_checker(), "--project", str(APP / "tsconfig.json")]
    done = node(*command)
    assert done.returncode == 0, done.stdout
    listed = node(*command, "--listFilesOnly").stdout
    checked = [line for line in listed.splitlines() if "/docs/practice/" in line and "/vendor/" not in line]
    assert len(checked) == len(list(APP.glob("*.js"))) - 1, "everything but the service worker is checked"


def test_modules_are_small_and_carry_their_own_weight() -> None:
    """No framework, no bundler: short files that import each other and ts-fsrs, and nothing else."""
    modules = sorted(APP.glob("*.js"))
    assert len(modules) >= 12
    for module in modules:
        text = module.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MAX_LINES, module.name
        for target in re.findall(r'^import .*?from "(.+?)";', text, re.MULTILINE):
            assert (APP / target).is_file(), f"{module.name} imports {target}"
        assert not re.search(r"\beval\(|new Function\(|document\.write|outerHTML|insertAdjacentHTML", text), module.name
        # The one place where HTML goes in is dom.js, and it takes only what the build made.
        assert "innerHTML" not in text or module.name == "dom.js", module.name


def test_both_languages_say_the_same_things(node: Run) -> None:
    program = """
const found = [];
for (const file of ["words", "interview-words", "progress-words", "calculator-words"]) {
  const { WORDS } = await import(`./docs/practice/${file}.js`);
  const [zh, en] = [WORDS.zh, WORDS.en].map(Object.entries);
  const slots = text => (text.match(/\\{\\w+\\}/g) ?? []).sort().join();
  const odd = zh.filter(([name, text], index) => en[index]?.[0] !== name || slots(en[index][1]) !== slots(text));
  found.push([zh.length, en.length, odd]);
}
console.log(JSON.stringify(found));
"""
    done = node("--input-type=module", "--eval", program)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 4
    for chinese, english, odd in found:
        assert chinese == english >= 30
        assert odd == []
