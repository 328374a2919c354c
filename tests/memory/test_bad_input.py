"""Bad input of `lora-demo predict`: exit code 2, and a message with the thing and the fix."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.memory.cards import CARDS
from lora_demo.memory.formula import closed_form_file
from lora_demo.memory.formula.closed_form import data
from lora_demo.models.presets import PRESETS
from tests.memory.peft_kinds import SMALL

CLI = CliRunner()


OTHERS = {"predict": ["--peft", "full"], "plan": ["--no-trace"]}


def said(*words: str, command: str = "predict") -> str:
    """What the command says when it refuses: one line, however narrow the terminal."""
    result = CLI.invoke(app, [command, *words])
    assert result.exit_code == 2, result.output
    assert len(result.output.splitlines()) == 1
    return result.output.strip()


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
        (["--model", "mgm-nano", "--peft", "full", "--seq", "-1"], "seq=-1"),
        (["--model", "mgm-nano", "--peft", "full", "--gpu", "rtx4091"], "rtx4090"),
        (["--model", "", "--peft", "full"], "--model is empty"),
        (["--model", "mgm-nano", "--peft", ""], "--peft is empty"),
        (["--model", "m" * 5000, "--peft", "full"], "nor a folder with config.json"),
        (["--model", "mgm-nano", "--peft", "m" * 5000], "no method"),
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


NO_MODEL = [
    ({"hidden_size": None, "num_hidden_layers": None}, "lacks hidden_size, num_hidden_layers"),
    ({"model_type": None}, "lacks model_type"),
    ({"model_type": "lama"}, "llama"),
]
"""`plan` has words of its own for these."""
WRONG = [
    ({"auto_map": {"AutoModelForCausalLM": "mine.Model"}}, "auto_map"),
    ({"model_type": ["llama"]}, "model_type must be a name"),
    ({"num_hidden_layers": 10**9}, "num_hidden_layers 1000000000: at most 1000 layers"),
    ({"text_config": {"n_layer": 10**9}}, "n_layer 1000000000: at most 1000 layers"),
    ({"num_hidden_layers": 0}, "num_hidden_layers must be a positive whole number"),
    ({"num_hidden_layers": True}, "num_hidden_layers must be a positive whole number"),
    ({"head_dim": "16"}, "head_dim must be a positive whole number"),
    ({"tie_word_embeddings": "false"}, "tie_word_embeddings must be true or false"),
    ({"num_key_value_heads": 3}, "num_attention_heads 4 must be a multiple of num_key_value_heads 3"),
]
CONFIGURATIONS = [("predict", *case) for case in [*NO_MODEL, *WRONG]] + [("plan", *case) for case in WRONG]


@pytest.mark.parametrize(("command", "changes", "expected"), CONFIGURATIONS)
def test_a_configuration(command: str, changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert expected in said("--model", model(tmp_path, **changes), *OTHERS[command], command=command)


BROKEN = {
    "empty": b"",
    "cut off": b'{"model_type": ',
    "no text": b"\xff\xfe\x00",
    "a mark": b"\xef\xbb\xbf{}",
    "a list": b"[]",
    "many digits": b'{"vocab_size": ' + b"9" * 5000 + b"}",
    "nested": b'{"a": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("command", ["predict", "plan"])
def test_a_file_that_is_no_object(command: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert re.search(
        r"config\.json: (not|must be a) JSON", said("--model", str(tmp_path), *OTHERS[command], command=command)
    )
    (tmp_path / "adapter_config.json").write_bytes(content)
    answer = said("--model", "mgm-nano", "--peft", str(tmp_path))
    assert re.search(r"adapter_config\.json: (not|must be a) JSON", answer)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert "config.json: not a file" in said("--model", str(tmp_path), "--peft", "full")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"peft_type": "LORAX"}, "LORA"),
        ({"peft_type": "LORA", "task_type": "SEQ_CLS"}, "CAUSAL_LM"),
        ({"peft_type": "LORA", "target_modules": ["c_attn"]}, "c_attn"),
        ({"peft_type": "LORA", "r": 0, "target_modules": ["q_proj"]}, "r"),
        ({"peft_type": "LORA", "r": 2, "target_modules": "("}, "does not go on"),
        ({"peft_type": "LORA", "r": 2, "target_modules": [1]}, "does not go on"),
        ({"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "rank_pattern": [1]}, "does not go on"),
        ({"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "megatron_config": {"a": 1}}, "does not go on"),
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


METHODS = {
    "lora:r=2.5,targets=all": "r=2.5: expected a whole number",
    "lora:r=true,targets=all": "r=True: expected a whole number",
    "lora:r=4,targets=all,alpha=true": "alpha=True: expected a finite number",
    "lora:r=4,targets=all,alpha=1e999": "alpha=inf: expected a finite number",
    "lora:r=4,targets=all,rslora=-1": "rslora=-1: expected true or false",
    "lora:r=4,targets=all,dtype=0": "dtype is no setting here",
    "lora:r=4,targets=all,model=3": "lora has no setting 'model'",
    "prefix:count=1.5": "count=1.5: expected a whole number",
    "prefix:count=4,hidden=0": "hidden=0: the network needs at least one unit",
    "prefix:count=2000000000,hidden=2000000000": "count=2000000000: must be at most 1048576",
    "prompt:count=10000000000000000000000": "expected a whole number",
    "full:r=3": "full has no setting 'r'; it has: none",
}


@pytest.mark.parametrize("method", METHODS)
def test_a_setting_of_a_method(method: str) -> None:
    assert METHODS[method] in said("--model", "mgm-nano", "--peft", method, "--seq", "48")


SIZES = {
    "--seq 257": "seq=257: mgm-nano cuts rows at 256 positions",
    "--seq 100000000000": "seq=100000000000: must be at least 1 and at most 1048576",
    "--batch 1000000000": "batch=1000000000: must be at least 1 and at most 65536",
    "--batch 60000 --seq 256": "a batch of 15360000 positions is not traced; take at most 4194304",
    "--selected-logits 99999999999": "selected-logits=99999999999: must be at least 1 and at most 1048576",
    "--loss-chunk 99999999999": "loss-chunk=99999999999: must be at least 1 and below",
    "--accumulation 100000": "accumulation=100000: at most 256 micro-batches are traced",
    "--loop plain --accumulation 2": "--accumulation belongs to our own step",
    "--loop published --batch 99": "loop published has batches of its own, 4 rows of at most 686 positions",
    "--loop published --seq 7": "loop published has batches of its own",
    "--shards 2 --optimizer adamw8bit": "adamw8bit scales blocks of whole tensors, which cannot be sharded",
    "--shards 2 --base nf4": "nf4 packs whole layers, which cannot be sharded",
}


@pytest.mark.parametrize("words", SIZES)
def test_a_size_or_switch_that_a_step_cannot_have(words: str) -> None:
    assert SIZES[words] in said("--model", "mgm-nano", "--peft", "lora:r=4,targets=all", *words.split())


def test_a_row_without_a_next_token(tmp_path: Path) -> None:
    assert "seq=1: no position has a next one" in said("--model", model(tmp_path), "--peft", "full", "--seq", "1")


@pytest.mark.parametrize(
    ("words", "batch", "length"), [([], 1, 256), (["--loop", "plain"], 1, 256), (["--loop", "published"], 4, 686)]
)
def test_sizes_that_are_not_given(words: list[str], batch: int, length: int) -> None:
    """What a prediction says of itself is what was traced."""
    result = CLI.invoke(app, ["predict", "--model", "mgm-nano", "--peft", "lora:r=4,targets=all", "--json", *words])
    assert result.exit_code == 0, result.output
    setting = json.loads(result.stdout)["setting"]
    assert (setting["batch"], setting["length"]) == (batch, length)


@pytest.mark.parametrize("command", ["predict", "plan"])
def test_names_are_shown_as_they_are(command: str, tmp_path: Path) -> None:
    """Brackets in a name are no markup, and a path is in one piece."""
    folder = tmp_path / "[bold]a[" / ("b" * 90 + "]")
    folder.mkdir(parents=True)
    words = {"predict": ["--peft", "lora:r=4,targets=all", "--seq", "16"], "plan": ["--no-trace"]}[command]
    result = CLI.invoke(app, [command, "--model", model(folder), *words])
    assert result.exit_code == 0, result.output
    assert str(folder) in result.output
    closing = tmp_path / "x[" / "bold]"
    closing.mkdir(parents=True)
    assert CLI.invoke(app, [command, "--model", model(closing), *words]).exit_code == 0


def test_no_variant_of_the_closed_form_begins_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form_file, "_save", lambda content: pytest.fail("written"))
    result = CLI.invoke(app, ["memory", "closed-form", "nope"])
    assert result.exit_code == 2
    assert "no variant begins with 'nope'; near names: llama/" in result.output


@pytest.mark.parametrize("command", ["predict", "plan"])
def test_the_help_names_every_model_and_card(command: str) -> None:
    said = "".join(CLI.invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output.split())
    known = [*PRESETS, *CARDS] + (list(data()["models"]) if command == "plan" else [])
    assert [name for name in known if name not in said] == []
