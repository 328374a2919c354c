"""How a command says that it refuses: to people on stderr, with --json to programs on stdout as well.

Loads no torch: `data check` answers at once.
"""

from __future__ import annotations

import typer

from lora_demo.data.json_index import BrokenFile
from lora_demo.results.printing import json_text


def complain(error: Exception, *, as_json: bool, before: str = "") -> None:
    """Print the message; as JSON, the place in a broken data file comes as numbers of its own."""
    typer.secho(f"{before}{error}", err=True, fg="red")
    if as_json:
        answer: dict[str, str | int] = {"error": str(error)}
        if isinstance(error, BrokenFile):
            answer |= {"path": str(error.path), "line": error.line, "column": error.column, "byte": error.offset}
        typer.echo(json_text(answer, indent=1))
