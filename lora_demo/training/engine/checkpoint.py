"""Checkpoints: written beside and renamed, sealed with checksums, the newest sound one is what a run resumes from.

A checkpoint holds what training changes (trainable parameters, optimizer state through Accelerate, random states) and
how far the run was. Frozen weights are not in it. It is only written between updates, when no gradient is under way.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lora_demo.training.engine import sharded
from lora_demo.training.engine.stopped import TrainingStopped

FOLDER = "checkpoints"
"""Where a run keeps them."""
SEAL = "progress.json"
TRAINED = "trained.safetensors"
STATE = "state"
STEP = "step-"
BEST = "best"


class CheckpointError(TrainingStopped):
    """A checkpoint that cannot be written or read; the message says what is left."""


class BrokenCheckpoint(UserWarning):
    """A damaged checkpoint was passed over; the message names it and the reason."""


@dataclass
class Progress:
    """How far a run is: updates done, the best evaluation and how many evaluations ago it was.

    sharded  whether its processes share parameters out; the optimizer's state is written in another form then
    """

    step: int = 0
    best_accuracy: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    stale: int = 0
    sharded: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)


def save(directory: Path, name: str, model: nn.Module, accelerator: Accelerator, progress: Progress) -> Path:
    """Write the checkpoint `name`; every process calls it. Raises CheckpointError, with older ones untouched."""
    place = [str(_aside(directory, name)) if accelerator.is_main_process else ""]
    if accelerator.num_processes > 1:
        from accelerate.utils import broadcast_object_list

        broadcast_object_list(place)
    aside = Path(place[0])
    try:
        _write_state(aside, model, accelerator)
        # Gathering shards takes all processes, and each adds its random state; only then may the folder be sealed.
        _require_finite(model, accelerator)
        content = trained(model) if accelerator.is_main_process or sharded.active(accelerator) else {}
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            save_file(content, aside / TRAINED)
            _seal(aside, progress)
            _replace(aside, directory / name)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CheckpointError(
            f"checkpoint {directory / name} could not be written: {error}. {left(directory)}"
        ) from error
    accelerator.wait_for_everyone()
    return directory / name


def _require_finite(model: nn.Module, accelerator: Accelerator) -> None:
    """Without clipping nobody looks at the gradients: a checkpoint whose weights are lost would be the newest one."""
    values = [sharded.own_part(p.detach()) for p in model.parameters() if p.requires_grad]
    broken: Any = torch.tensor(float(sum(not bool(value.isfinite().all()) for value in values)))
    if accelerator.num_processes > 1:
        broken = accelerator.reduce(broken.to(accelerator.device), reduction="sum")
    if float(broken) > 0:
        raise RuntimeError(
            "trained weights are no finite numbers any more, so this state is not worth keeping. "
            "Set clip_norm, lower optimizer.lr, or lengthen schedule.warmup"
        )


def trained(model: nn.Module) -> dict[str, torch.Tensor]:
    """The trainable parameters by name, tied ones once, sharded ones gathered."""
    own = {name: sharded.whole(p.detach()) for name, p in model.named_parameters() if p.requires_grad}
    return {name: value.cpu().contiguous() for name, value in own.items()}


def restore(path: Path, model: nn.Module, accelerator: Accelerator) -> Progress:
    """Put a sound checkpoint's content back into model, optimizer and random states.

    Raises CheckpointError where it was written by shards and is read by replicas, or the other way round.
    """
    progress = read_progress(path)
    if progress.sharded != sharded.active(accelerator):
        known = "with `accelerate launch --use_fsdp`" if progress.sharded else "without --use_fsdp"
        raise CheckpointError(f"{path}: was written by a run {known}; resume it the same way, or start anew")
    load_trained(path, model)
    if sharded.active(accelerator):
        sharded.load_state(path / STATE, model, accelerator)
        return progress
    hook = accelerator.register_load_state_pre_hook(lambda models, folder: models.clear())
    try:
        accelerator.load_state(str(path / STATE))
    finally:
        hook.remove()
    return progress


def load_trained(path: Path, model: nn.Module) -> None:
    """The trainable parameters of a checkpoint into the model; names must agree exactly."""
    tensors = load_file(path / TRAINED)
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if different := sorted(set(own) ^ set(tensors)):
        raise CheckpointError(f"{path}: other parameters are trained than in this run, e.g. {different[0]}")
    sharded.fill(own, tensors)


def newest(directory: Path) -> Path | None:
    """The newest sound checkpoint; damaged ones are passed over with a BrokenCheckpoint warning."""
    for path in reversed(_all(directory)):
        if reason := damage(path):
            warnings.warn(f"checkpoint {path} is damaged ({reason}) and is passed over", BrokenCheckpoint, stacklevel=2)
        else:
            return path
    return None


def recover(directory: Path) -> None:
    """Bring back a checkpoint whose replacement was killed between the two renames."""
    for old in directory.glob(".*.old.part"):
        whole = directory / old.name.split(".")[1]
        if not whole.exists():
            old.replace(whole)


def best(directory: Path) -> Path | None:
    """The best checkpoint; None, with a BrokenCheckpoint warning, where somebody has removed it.

    Raises CheckpointError if it is damaged, with what is left.
    """
    path = directory / BEST
    if not path.exists():
        warnings.warn(f"{path} is gone: the result is the last step's instead", BrokenCheckpoint, stacklevel=2)
        return None
    if reason := damage(path):
        raise CheckpointError(
            f"checkpoint {path} is damaged ({reason}). {left(directory)} "
            f"Remove {path} to have --resume take the last step's weights for the result"
        )
    return path


def _all(directory: Path) -> list[Path]:
    """Numbered checkpoints and the best one, which a run can go on from as well, oldest first."""
    found = [(int(path.name[len(STEP) :]), path) for path in numbered(directory)]
    # Where there is none, or none that could be gone on from, whoever wants its weights is told.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found.append((read_progress(directory / BEST).step, directory / BEST))
    return [path for _, path in sorted(found, key=lambda one: (one[0], one[1].name != BEST))]


def numbered(directory: Path) -> list[Path]:
    """Checkpoints by step, oldest first; half-written ones have other names and are not among them."""
    found = [path for path in directory.glob(f"{STEP}*") if path.is_dir() and path.name[len(STEP) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(STEP) :]))


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None: every file must have the length and checksum it was sealed with."""
    try:
        content = json.loads((path / SEAL).read_text(encoding="utf-8"))
        Progress(**content["progress"])  # a TypeError for fields that are not ours
        sealed = content["files"]
        for name, checksum in sealed.items():
            if not (path / name).is_file():
                return f"{name} is missing"
            if _checksum(path / name) != checksum:
                return f"{name} has changed"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{SEAL} cannot be read: {error}"
    return None


def read_progress(path: Path) -> Progress:
    """How far the run was when this checkpoint was written."""
    return Progress(**json.loads((path / SEAL).read_text(encoding="utf-8"))["progress"])


def prune(directory: Path, keep: int) -> None:
    """Remove all but the newest `keep` numbered checkpoints, and leftovers of writes that were interrupted."""
    for path in numbered(directory)[:-keep]:
        shutil.rmtree(path)
    for path in directory.glob(".*.part"):
        shutil.rmtree(path, ignore_errors=True)


def _aside(directory: Path, name: str) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=directory, prefix=f".{name}.", suffix=".part"))
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {directory / name} could not be written: {error}. {left(directory)}"
        ) from error


def _write_state(aside: Path, model: nn.Module, accelerator: Accelerator) -> None:
    """Optimizer and random states. Accelerate would add every weight, frozen ones too: the hook takes them out."""
    if sharded.active(accelerator):
        sharded.save_state(aside / STATE, model, accelerator)
        return
    hook = accelerator.register_save_state_pre_hook(lambda models, weights, folder: weights.clear())
    try:
        accelerator.save_state(str(aside / STATE))
    finally:
        hook.remove()


def _seal(aside: Path, progress: Progress) -> None:
    files = {str(path.relative_to(aside)): _checksum(path) for path in sorted(_files(aside))}
    content = json.dumps({"files": files, "progress": asdict(progress)}, indent=1)
    (aside / SEAL).write_text(content + "\n", encoding="utf-8")
    for path in _files(aside):
        _flush(path)


def _replace(aside: Path, target: Path) -> None:
    old = aside.with_name(aside.name.replace(".part", ".old.part"))
    if target.exists():
        target.replace(old)
    aside.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> Iterable[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def left(directory: Path) -> str:
    """What a run can go on from, for messages."""
    sound = _all(directory)
    return f"The last good checkpoint is {sound[-1]}." if sound else "No checkpoint has been written yet."
