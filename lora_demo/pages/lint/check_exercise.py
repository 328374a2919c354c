"""What must hold of an exercise's texts beside its form, which reading checks."""

from __future__ import annotations

from collections.abc import Iterator

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.exercise import Exercise
from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.yaml_source import dotted
from lora_demo.pages.lint.check_question import check_typed


def check_exercise(exercise: Exercise, content: Content) -> Iterator[Problem]:
    """The question that explains it exists, and no text has a typed quantity."""
    source, question = exercise.source, exercise.meta.question
    if question not in content.questions and question not in content.broken:
        yield source.problem(("question",), f"unknown question `{question}`", nearest(question, content.questions))
    for location in exercise.texts():
        line = source.place(location)[0]
        yield from check_typed(exercise.text(location), line, source.path, dotted(location), content)
