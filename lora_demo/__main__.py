"""The command line. Commands import what they need when they run, so that the site's commands never load torch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from lora_demo.commands.bench import bench_app
from lora_demo.commands.dojo import dojo_app
from lora_demo.commands.entry import Entry
from lora_demo.commands.memory_records import memory_app
from lora_demo.commands.model_commands import model_app
from lora_demo.commands.paper_commands import paper_app
from lora_demo.commands.site_commands import pages_app, site_app

app = typer.Typer(
    name="lora-demo",
    cls=Entry,
    help="Verified interview preparation for LoRA and parameter-efficient fine-tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Training data: what is wrong with it.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.add_typer(memory_app, name="memory")
app.add_typer(dojo_app, name="dojo")
app.add_typer(pages_app, name="pages")


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


for part in (site_app, model_app, paper_app):
    app.registered_commands += part.registered_commands


if __name__ == "__main__":
    app()
