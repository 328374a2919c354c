"""What the build adds for the practice app: packages, questions as data, content policies, the list of kept files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from lora_demo.pages.bank import content
from lora_demo.pages.browser import content_policy, service_worker, vendored
from lora_demo.pages.study import practice
from tests.practice.conftest import ROOT


def test_a_missing_package_is_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / vendored.FOLDER
    app.mkdir(parents=True)
    (app / "package.json").write_text((ROOT / vendored.FOLDER / "package.json").read_text())
    monkeypatch.setattr(vendored, "npm", lambda: [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(vendored.NotInstalled, match=r"ts-fsrs 5\.4\.2 .*\(npm brought no archive\).*npm registry"):
        vendored.ensure(tmp_path)
    assert not (app / "vendor" / "installed.json").exists()


def test_a_package_with_another_digest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = json.loads((ROOT / vendored.FOLDER / "package.json").read_text())
    manifest["integrity"]["ts-fsrs"] = "sha512-other"
    (tmp_path / vendored.FOLDER).mkdir(parents=True)
    (tmp_path / vendored.FOLDER / "package.json").write_text(json.dumps(manifest))
    fake = tmp_path / "npm.py"
    fake.write_text("import sys, pathlib; pathlib.Path(sys.argv[4], 'a.tgz').write_bytes(b'not the package')")
    monkeypatch.setattr(vendored, "npm", lambda: [sys.executable, str(fake)])
    with pytest.raises(vendored.NotInstalled, match=r"digest is sha512-.*pins sha512-other"):
        vendored.ensure(tmp_path)


def test_every_question_is_there_in_both_languages_with_all_its_parts() -> None:
    known = content.load(ROOT)
    banks = {lang: json.loads(practice.practice_data(known, lang)) for lang in ("zh", "en")}
    for bank in banks.values():
        assert [q["id"] for q in bank["questions"]] == [q.id for q in known.most_asked()]
    pairs = zip(banks["zh"]["questions"], banks["en"]["questions"], strict=True)
    for chinese, english in pairs:
        for name in ("rubric", "followups"):
            assert len(chinese[name]) == len(english[name])
        assert [f["to"] for f in chinese["followups"]] == [f["to"] for f in english["followups"]]
    everything = json.dumps(banks, ensure_ascii=False)
    assert len(known.questions) >= 50
    assert "{{" not in everything
    assert "<script" not in everything
    # Links start at the language's root and lead to pages, not to Markdown.
    links = re.findall(r'href=\\"([^"]*)\\"', everything)
    assert len(links) >= 20
    assert not [link for link in links if link.startswith(("..", "/", "http")) or ".md" in link]


def test_most_questions_have_follow_ups_that_lead_somewhere() -> None:
    known = content.load(ROOT)
    found = {q.id: practice.practice_question(q, known, "zh")["followups"] for q in known.questions.values()}
    arrows = {q.id: q.answers["zh"]["follow-ups"].text.count("→") for q in known.questions.values()}
    assert {name: len(each) for name, each in found.items()} == arrows
    assert sum(arrows.values()) >= 2 * len(arrows)
    assert all(entry["ask"] and entry["answer"] for each in found.values() for entry in each)


def test_a_policy_admits_exactly_the_inline_scripts_of_its_page() -> None:
    scripts = '<script>one()</script><script src="a.js"></script>'
    page = f'<head><meta charset="utf-8">{scripts}</head><script type="application/json">{{}}</script>'
    written = content_policy.with_policy(page)
    assert content_policy.inline_scripts(page) == ["one()"]
    assert written.count("sha256-") == 1
    assert content_policy.digest(b"one()") in written
    assert written.index("Content-Security-Policy") < written.index("<script>")
    # printf 'one()' | openssl dgst -sha256 -binary | base64
    assert content_policy.digest(b"one()") == "'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='"
    admitted = content_policy.admit(written.encode(), b"two()").decode()
    assert content_policy.digest(b"two()") in admitted


def test_kept_files_are_those_of_the_site_without_notebooks_and_copies(tmp_path: Path) -> None:
    for name in (
        "index.html",
        "en/index.html",
        "q/a/index.html",
        "notebooks/n/index.html",
        "download/site.zip",
        "sw.js",
        "a.js.map",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert set(service_worker.kept_files(tmp_path)) == {"", "en/", "q/a/"}
    first = service_worker.service_worker(tmp_path, "work();", serving=False)
    assert first == service_worker.service_worker(tmp_path, "work();", serving=False)
    (tmp_path / "q/a/index.html").write_text("changed")
    assert first != service_worker.service_worker(tmp_path, "work();", serving=False)
    assert first.startswith('self.SITE = {"version":"')
    assert first.endswith(";\nwork();")
