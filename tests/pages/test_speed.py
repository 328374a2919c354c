"""Cold rendering of 150 questions in both languages stays well under three seconds of one core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys, time
from pathlib import Path
start = time.process_time()
from lora_demo.pages.bank.content import load
from lora_demo.pages.site import generated_pages
content = load(Path(sys.argv[1]))
built = [generated_pages(content, lang) for lang in ("zh", "en")]
print(time.process_time() - start, len(content.questions), sum(len(b.problems) for b in built))
"""
QUESTION = "qa/questions/memory/what-is-saved.md"


def test_150_questions_render_in_time(small_repo: Path) -> None:
    text = (small_repo / QUESTION).read_text(encoding="utf-8")
    for number in range(148):
        # Each file differs and is about as long as a real one (10 KB), so that no cache helps.
        body = text.replace("memory.what-is-saved\n", f"memory.copy-{number}\n", 1)
        body = body.replace("#### 代码", f"第 {number} 题。公式 $x_{{{number}}}$。\n\n" * 60 + "#### 代码")
        body = body.replace("#### Code", f"Question {number}, formula $x_{{{number}}}$.\n\n" * 60 + "#### Code")
        (small_repo / f"qa/questions/memory/copy-{number}.md").write_text(body, encoding="utf-8")
    out = subprocess.run([sys.executable, "-c", SCRIPT, str(small_repo)], capture_output=True, text=True, check=True)
    seconds, questions, problems = out.stdout.split()
    assert (questions, problems) == ("150", "0")
    assert float(seconds) < 3
