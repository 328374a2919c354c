"""Bad input of `lora-demo predict`: exit code 2, and a message with the thing and the fix."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from tests.memory.peft_kinds import SMALL

CLI = CliRunner()


def said(*words: str) -> str:
    """What the command says when it refuses; line ends are the terminal's."""
    result = CLI.invoke(app, ["predict", *words])
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def model(folder: Path, **changes: Any) -> str:
    entries = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(entries))
    return str(folder)


def adapter(folder: Path, **entries: Any) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(entries))
    return str(folder)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "mgm-2c", "--peft", "full"], "mgm-2b"),
        (["--model", "mgm-nano", "--peft", "lorra:r=4"], "lora"),
        (["--model", "mgm-nano", "--peft", "full", "--batch", "0"], "batch=0"),
        (["--model", "mgm-nano", "--peft", "full", "--seq", "-1"], "length=-1"),
        (["--model", "mgm-nano", "--peft", "full", "--gpu", "rtx4091"], "rtx4090"),
    ],
)
def test_a_name_or_number(words: list[str], expected: str) -> None:
    assert expected in said(*words)


CHOICES = {
    "loop": ("yours", "ours, plain, published"),
    "optimizer": ("sgd", "foreach, fused, for-loop"),
    "base": ("fp8", "bf16, nf4, int8"),
}
# In a process without shape checking, which would refuse the words before the command does.
ASK = """
import sys
from typer.testing import CliRunner
from lora_demo.__main__ import app
for choice in sys.argv[1:]:
    result = CliRunner().invoke(app, ["predict", "--model", "mgm-nano", "--peft", "full", *choice.split("=")])
    print(result.exit_code, " ".join(result.output.split()))
"""


def test_a_choice_that_does_not_exist() -> None:
    asked = [f"--{name}={wrong}" for name, (wrong, _) in CHOICES.items()]
    run = subprocess.run([sys.executable, "-c", ASK, *asked], capture_output=True, text=True, timeout=120, check=True)
    for line, (name, (wrong, known)) in zip(run.stdout.splitlines(), CHOICES.items(), strict=True):
        assert line.startswith(f"2 --{name} {wrong}: choose one of {known}")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hidden_size": None, "num_hidden_layers": None}, "lacks hidden_size, num_hidden_layers"),
        ({"model_type": None}, "lacks model_type"),
        ({"model_type": "lama"}, "llama"),
        ({"auto_map": {"AutoModelForCausalLM": "mine.Model"}}, "auto_map"),
    ],
)
def test_a_configuration(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert expected in said("--model", model(tmp_path, **changes), "--peft", "full")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"peft_type": "LORAX"}, "LORA"),
        ({"peft_type": "LORA", "task_type": "SEQ_CLS"}, "CAUSAL_LM"),
        ({"peft_type": "LORA", "target_modules": ["c_attn"]}, "c_attn"),
        ({"peft_type": "LORA", "r": 0, "target_modules": ["q_proj"]}, "r"),
    ],
)
def test_an_adapter(entries: dict[str, Any], expected: str, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter", **entries)
    assert expected in said("--model", model(tmp_path), "--peft", folder)


def test_a_prediction_as_json(tmp_path: Path) -> None:
    words = ["--model", model(tmp_path), "--peft", "lora:r=4,targets=all", "--seq", "16", "--json"]
    result = CLI.invoke(app, ["predict", *words])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert sum(found["parts"].values()) == found["peak_allocated"] <= found["peak_reserved"]
    kinds = "weights_frozen weights_trainable gradients optimizer activations logits temporaries"
    assert list(found["parts"]) == kinds.split()
    assert found["trainable"] > 0
    assert found["seconds"] > 0
