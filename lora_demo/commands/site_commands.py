"""What the pages are made of, as the command line spells it: pages check, pages index, new-question, notebook."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

site_app = typer.Typer()
pages_app = typer.Typer(help="The question bank and the pages made from it.", no_args_is_help=True)
BAD_INPUT = 2
QUESTIONS = "qa/questions/**/*.md"


@pages_app.command("check")
def pages_check(as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False) -> None:
    """Check questions, figures in text, links, ledger and coverage without building the site.

    Exit 0: no problem, 1: problems found, 2: nothing to check here.
    """
    from lora_demo.pages.lint.report import report
    from lora_demo.results.paths import NotHere, root_with

    try:
        text, count = report(root_with(QUESTIONS), as_json)
    except NotHere as error:
        _refuse(error)
    typer.echo(text)
    raise typer.Exit(1 if count else 0)


@pages_app.command("index")
def pages_index() -> None:
    """Write the README's index of questions afresh.

    Exit 2: a question or the README cannot be read, or the README has no place for it; nothing is written then.
    """
    from lora_demo.pages import readme
    from lora_demo.pages.bank import content
    from lora_demo.results.paths import NotHere, root_with

    try:
        root = root_with(QUESTIONS)
        changed = readme.write_index(root / "README.md", content.load(root))
    except (NotHere, readme.RefusedIndex) as error:
        _refuse(error)
    typer.echo("README.md: index written" if changed else "README.md: index is current")


@site_app.command("new-question")
def new_question_command(
    question_id: Annotated[str, typer.Argument(metavar="TOPIC.SLUG", help="for example memory.what-lora-saves")],
) -> None:
    """Write a new question file with every field and section, ready to fill in."""
    from lora_demo.pages.new_question import RefusedQuestion, new_question, topics_of
    from lora_demo.results.paths import NotHere, root_with

    try:
        root = root_with("qa/topics.yaml")
        file = new_question(root, topics_of(root), question_id)
    except (NotHere, RefusedQuestion) as error:
        _refuse(error)
    typer.echo(f"{file.relative_to(root)}: fill it in, then run `lora-demo pages check`")


@site_app.command("notebook")
def notebook(
    names: Annotated[list[str] | None, typer.Argument(help="Sources in docs/notebooks without .py; none: all.")] = None,
) -> None:
    """Run the notebooks' sources and write the Chinese and the English notebook with their outputs.

    Exit 2: no such source, one that cannot be run to its end, or nowhere to write; nothing is written then.
    """
    from lora_demo.commands import notebook as command
    from lora_demo.results.paths import NotHere

    try:
        paths = command.write(names or [])
    except (NotHere, command.BadSource) as error:
        _refuse(error)
    for path in paths:
        typer.echo(path)


def _refuse(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(BAD_INPUT)
