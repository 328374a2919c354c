"""What the pages say around the answers, in both languages."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "also asked": "也有人这么问",
        "asked": "出现在 {n} 份公开题单里",
        "not asked": "公开题单里没见过，我们认为该会",
        "logs": "面经来源：",
        "evidence": "证据：",
        "tests": "{n} 个测试",
        "figures": "{n} 个数值",
        "papers": "{n} 篇论文",
        "no evidence": "表达类问题，不需要证据",
        "test": "测试",
        "by hand": "动手写：",
        "rubric": "对照自评",
        "verified": "最近一次验证：{date}，版本 {version}",
        "unverified": "还没有验证过",
        "edit": "编辑本页",
        "report": "报告错误",
        "joint": " · ",
        "comma": "、",
    },
    "en": {
        "also asked": "Also asked as",
        "asked": "appears in {n} public lists",
        "not asked": "not in the public lists; we think you should know it",
        "logs": "Interview logs: ",
        "evidence": "Evidence: ",
        "tests": "{n} tests",
        "figures": "{n} figures",
        "papers": "{n} papers",
        "no evidence": "a question of presentation, nothing to prove",
        "test": "test",
        "by hand": "Write it by hand: ",
        "rubric": "Check yourself",
        "verified": "Last verified {date} by version {version}",
        "unverified": "Not yet verified",
        "edit": "Edit this page",
        "report": "Report a mistake",
        "joint": " · ",
        "comma": ", ",
    },
}


def word(lang: str, key: str, **values: object) -> str:
    """The phrase, filled in; English drops the plural s after 1."""
    text = WORDS[lang][key].format(**values)
    if lang == "en" and values.get("n") == 1 and text.endswith("s"):
        return text[:-1]
    return text
