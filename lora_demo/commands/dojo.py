"""`lora-demo dojo`: hand-coding practice. Texts come from `pages`, verdicts from `judge`; this puts them together."""

from __future__ import annotations

import datetime
import difflib
import json
import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lora_demo.commands.dojo_exercise import faults, job_of
from lora_demo.commands.dojo_words import WORDS, described, show
from lora_demo.judge import progress
from lora_demo.judge.judging import AnswerUnreadable, JudgeUnavailable, judge, read_answer
from lora_demo.pages.bank.exercise import Exercise, load_exercises
from lora_demo.pages.bank.language import LEVELS
from lora_demo.results.paths import project_root
from lora_demo.results.store import write_new

dojo_app = typer.Typer(help="Hand-coding practice: write it, have it judged by its properties.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="EXERCISE", help="As `lora-demo dojo list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[str, typer.Option("--lang", help="zh or en; default: the system's language.", show_default=False)]


@dojo_app.command("list")
def list_exercises(as_json: AsJson = False, lang: Lang = "") -> None:
    """The exercises in order, and how far you are."""
    lang, known = _language(lang), _progress()
    exercises = _exercises()
    if as_json:
        print(json.dumps([described(exercise, lang, known) for exercise in exercises], ensure_ascii=False, indent=1))
        return
    width = max((len(exercise.name) for exercise in exercises), default=0)
    for exercise in exercises:
        seen, words = known.of(exercise.name), WORDS[lang]
        mark = "✓" if seen.passed else "·"
        state = words["passed"].format(seen.passed) if seen.passed else words["tried"].format(seen.tries)
        facts = [LEVELS[lang][exercise.meta.level], words["minutes"].format(exercise.meta.minutes)]
        facts += [state] if seen.tries else []
        print(f"{mark} {exercise.name:{width}}  {exercise.title(lang)} ({', '.join(facts)})")


@dojo_app.command("next")
def next_exercise(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the starter into this file, if it is not there.")
    ] = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """The first exercise that you have not passed; when all are, the one passed longest ago."""
    lang, known = _language(lang), _progress()
    exercises = _exercises()
    open_ones = [exercise for exercise in exercises if not known.of(exercise.name).passed]
    exercise = open_ones[0] if open_ones else min(exercises, key=lambda one: known.of(one.name).passed)
    words = WORDS[lang]
    if out is not None:
        _write_new(out, exercise.starter)
    if as_json:
        print(
            json.dumps(described(exercise, lang, known) | {"starter": exercise.starter}, ensure_ascii=False, indent=1)
        )
        return
    if not open_ones:
        print(words["all"])
    print(f"{exercise.title(lang)} ({exercise.name}, {words['minutes'].format(exercise.meta.minutes)})\n")
    print(exercise.text(("task", lang)))
    print(f"\n{words['define']}: {', '.join(exercise.meta.gives)}")
    if out is None:
        print(f"{words['starter']}:\n\n{exercise.starter}\n{words['judge']}")
    else:
        print(words["written"].format(out))
    print(f"  lora-demo dojo judge {exercise.name} --file {out or 'answer.py'}")


@dojo_app.command("judge")
def judge_answer(
    name: Name,
    file: Annotated[Path, typer.Option("--file", help="Your Python file.")],
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """Judge a file. Exit 0: every check passed, 1: not, 2: no such exercise, or the file cannot be read."""
    lang, exercise, known = _language(lang), _named(name), _progress()
    try:
        verdict = judge(job_of(exercise), read_answer(file))
    except (AnswerUnreadable, JudgeUnavailable) as error:
        _refuse(str(error))
    seen = known.of(exercise.name)
    seen.tries += 1
    if verdict.status == "pass":
        seen.passed = datetime.date.today().isoformat()
    _save(known)
    if as_json:
        print(json.dumps(verdict.to_json(), ensure_ascii=False, indent=1))
    else:
        show(verdict, exercise, lang)
    raise typer.Exit(0 if verdict.status == "pass" else 1)


@dojo_app.command("hint")
def hint(
    name: Name,
    number: Annotated[int | None, typer.Option("--number", min=1, help="This hint instead of the next one.")] = None,
    lang: Lang = "",
) -> None:
    """The next hint: each call shows one more."""
    lang, exercise, known = _language(lang), _named(name), _progress()
    seen, hints, words = known.of(exercise.name), exercise.meta.hints, WORDS[lang]
    wanted = number or seen.hints + 1
    if wanted > len(hints):
        if number:
            _refuse(f"{exercise.name} has {len(hints)} hints, no {number}")
        print(words["no more"].format(exercise.name))
        return
    print(f"{words['hint'].format(wanted, len(hints))}: {exercise.text(('hints', wanted - 1, lang))}")
    seen.hints = max(seen.hints, wanted)
    _save(known)


@dojo_app.command("solution")
def solution(name: Name) -> None:
    """One way to write it: the tested source file."""
    exercise = _named(name)
    print(f"# {exercise.meta.solution}\n{exercise.solution}", end="")


@dojo_app.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="EXERCISE", help="Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the exercises themselves: solutions pass, starters don't, every slip is caught. Exit 1: one is not so."""
    found: dict[str, list[str]] = {}
    for exercise in [_named(name) for name in names or []] or _exercises():
        found[exercise.name] = faults(exercise)
        if not as_json:
            count = f"{len(exercise.meta.checks)} checks, {len(exercise.meta.slips)} slips"
            print(f"{exercise.name}: {'; '.join(found[exercise.name]) or f'sound ({count})'}", flush=True)
    if as_json:
        print(json.dumps(found, indent=1))
    raise typer.Exit(1 if any(found.values()) else 0)


def _exercises() -> tuple[Exercise, ...]:
    exercises, problems = load_exercises(project_root())
    if problems:
        _refuse("\n".join(map(str, problems)))
    if not exercises:
        _refuse(
            f"{project_root()} has no exercises: the command works in a checkout, or with LORA_DEMO_ROOT naming one"
        )
    return exercises


def _named(name: str) -> Exercise:
    exercises = {exercise.name: exercise for exercise in _exercises()}
    if name not in exercises:
        near = difflib.get_close_matches(name, exercises, n=2, cutoff=0.4) or list(exercises)
        _refuse(f"no exercise is called {name!r}: {', '.join(near)}?")
    return exercises[name]


def _language(asked: str) -> str:
    if asked in WORDS:
        return asked
    if asked:
        _refuse(f"--lang {asked}: zh or en")
    system = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if system.lower().startswith("zh") else "en"


def _progress() -> progress.Progress:
    known = progress.load(progress.place())
    if known.warning:
        typer.echo(known.warning, err=True)
    return known


def _save(known: progress.Progress) -> None:
    """A verdict or a hint is worth showing even where progress cannot be kept."""
    try:
        known.save()
    except OSError as error:
        typer.echo(
            f"progress could not be kept in {known.path}: {error}; LORA_DEMO_HOME names another folder", err=True
        )


def _write_new(out: Path, starter: str) -> None:
    try:
        write_new(out, starter)
    except FileExistsError:
        _refuse(f"{out} is there already and was left as it is; name another file")
    except OSError as error:
        _refuse(f"{out} cannot be written: {error.strerror or error}")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
