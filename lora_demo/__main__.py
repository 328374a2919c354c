"""The command line. Commands import what they need when they run, so that the site's commands never load torch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from lora_demo.commands.bench import bench_app
from lora_demo.commands.dojo import dojo_app
from lora_demo.commands.memory_records import memory_app
from lora_demo.commands.model_commands import model_app
from lora_demo.commands.paper_commands import paper_app

app = typer.Typer(
    name="lora-demo",
    help="Verified interview preparation for LoRA and parameter-efficient fine-tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Training data: what is wrong with it.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.add_typer(memory_app, name="memory")
app.add_typer(dojo_app, name="dojo")


@app.callback()
def main() -> None:
    """Exit codes: 0 fine, 1 a check failed, 2 bad input."""
    # On CPUs with bfloat16 units bitsandbytes asks for a kernel from a hub, which nothing here needs.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


@data_app.command("check")
def data_check(
    file: Annotated[Path, typer.Argument(help="JSON list of items: id, image, conversations.")],
    images: Annotated[Path, typer.Option("--images", help="Folder that the image paths start from.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Read only the headers of pictures: fast, misses cut-off files.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Kind of problem that only warns, e.g. duplicate-id; repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Preset whose length limit is checked: mgm-nano or mgm-2b.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder with the model's tokenizer (mgm-nano has one built in).")
    ] = None,
) -> None:
    """List every problem of a data file: item, field, path. Exit 0: none, 1: errors found, 2: not readable as JSON."""
    from lora_demo.commands import data_check as command

    raise typer.Exit(
        command.run(
            file,
            images,
            as_json=as_json,
            decode=not headers_only,
            allow=allow or (),
            model=model,
            tokenizer_dir=tokenizer,
        )
    )


@app.command("notebook")
def notebook(
    names: Annotated[list[str] | None, typer.Argument(help="Sources in docs/notebooks without .py; none: all.")] = None,
) -> None:
    """Run the notebooks' sources and write the Chinese and the English notebook with their outputs."""
    from lora_demo.commands import notebook as command

    try:
        paths = command.write(names or [])
    except command.BadSource as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for path in paths:
        typer.echo(path)


@app.command()
def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or patterns such as 'mgm2b.lora.*'; none: all.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with what comes out now; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Recompute the named results and write qa/figures.json, or check it."""
    from rich.console import Console

    from lora_demo.figures.command import run
    from lora_demo.results.paths import figures_file

    code = run(
        figures_file(), names or [], check=check, as_json=as_json, console=Console(), errors=Console(stderr=True)
    )
    raise typer.Exit(code)


pages_app = typer.Typer(help="The question bank and the pages made from it.", no_args_is_help=True)
app.add_typer(pages_app, name="pages")


@pages_app.command("check")
def pages_check(as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False) -> None:
    """Check questions, figures in text, links, ledger and coverage without building the site."""
    from lora_demo.pages.lint.report import report
    from lora_demo.results.paths import project_root

    text, count = report(project_root(), as_json)
    typer.echo(text)
    raise typer.Exit(1 if count else 0)


@pages_app.command("index")
def pages_index() -> None:
    """Write the README's index of questions afresh. Exit 2: the README has no place for it."""
    from lora_demo.pages import readme
    from lora_demo.pages.bank import content
    from lora_demo.results.paths import project_root

    try:
        changed = readme.write_index(project_root() / "README.md", content.load(project_root()))
    except readme.NoMarkers as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo("README.md: index written" if changed else "README.md: index is current")


@app.command("new-question")
def new_question_command(
    question_id: Annotated[str, typer.Argument(metavar="TOPIC.SLUG", help="for example memory.what-lora-saves")],
) -> None:
    """Write a new question file with every field and section, ready to fill in."""
    from lora_demo.pages.bank.content import load
    from lora_demo.pages.new_question import RefusedQuestion, new_question
    from lora_demo.results.paths import project_root

    root = project_root()
    try:
        file = new_question(root, load(root).topics, question_id)
    except RefusedQuestion as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{file.relative_to(root)}: fill it in, then run `lora-demo pages check`")


for part in (model_app, paper_app):
    app.registered_commands += part.registered_commands


if __name__ == "__main__":
    app()
