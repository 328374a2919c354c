"""The two languages of the site: which sections an answer has and what the page says around it."""

from __future__ import annotations

LANGUAGES = ("zh", "en")

# Section key -> heading in the file; the order of keys is the order in the file and on the page.
SECTIONS: dict[str, dict[str, str]] = {
    "zh": {
        "one-sentence": "一句话",
        "sixty-seconds": "60 秒",
        "in-depth": "深入",
        "follow-ups": "追问",
        "mistakes": "常见误区",
        "extra-credit": "加分点",
    },
    "en": {
        "one-sentence": "In one sentence",
        "sixty-seconds": "In 60 seconds",
        "in-depth": "In depth",
        "follow-ups": "Follow-ups",
        "mistakes": "Common mistakes",
        "extra-credit": "What earns extra credit",
    },
}

OVERVIEW = {"zh": "总览", "en": "Overview"}

LEVELS: dict[str, dict[str, str]] = {
    "zh": {"junior": "初级", "mid": "中级", "senior": "高级"},
    "en": {"junior": "junior", "mid": "mid-level", "senior": "senior"},
}

KINDS: dict[str, dict[str, str]] = {
    "zh": {
        "concept": "概念",
        "math": "推导",
        "number": "估算",
        "engineering": "工程",
        "comparison": "对比",
        "behaviour": "表达",
        "coding": "手撕",
    },
    "en": {
        "concept": "concept",
        "math": "derivation",
        "number": "estimate",
        "engineering": "engineering",
        "comparison": "comparison",
        "behaviour": "behavioural",
        "coding": "coding",
    },
}

FIGURE_KINDS: dict[str, dict[str, str]] = {
    "zh": {"exact": "精确计算", "predicted": "预测", "measured": "实测", "cited": "引用"},
    "en": {"exact": "computed exactly", "predicted": "predicted", "measured": "measured", "cited": "cited"},
}

MARKS: dict[str, dict[str, str]] = {
    "zh": {"predicted": "预测", "unmeasured": "未实测", "contested": "有争议"},
    "en": {"predicted": "predicted", "unmeasured": "not measured", "contested": "contested"},
}

VERDICTS: dict[str, dict[str, str]] = {
    "zh": {
        "holds": "成立",
        "partly": "部分成立",
        "conditional": "有条件成立",
        "contested": "有争议",
        "wrong": "不成立",
        "incomplete": "不完整",
    },
    "en": {
        "holds": "holds",
        "partly": "partly holds",
        "conditional": "holds under conditions",
        "contested": "contested",
        "wrong": "wrong",
        "incomplete": "incomplete",
    },
}
