"""The calculator's coefficients: the closed form's own file, as the app reads it."""

from pathlib import Path

from mkdocs.structure.files import File

FORM = Path(__file__).resolve().parents[2] / "lora_demo" / "memory" / "formula" / "closed_form.json"


def on_files(files, config):
    # Both languages share one copy of the app, in the Chinese site.
    if config.theme["language"] == "zh":
        files.append(File.generated(config, "app/closed-form.json", abs_src_path=str(FORM)))
