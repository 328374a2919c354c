"""The command line. Commands import what they need when they run, so that the site's commands never load torch."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="lora-demo",
    help="Verified interview preparation for LoRA and parameter-efficient fine-tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None:
    """Exit codes: 0 fine, 1 a check failed, 2 bad input."""


if __name__ == "__main__":
    app()
