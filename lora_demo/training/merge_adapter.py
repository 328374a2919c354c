"""Adapter and base to one checkpoint: merged in memory, compared with the unmerged model, and only then written.

    error   ‖logits merged - logits adapted‖ / ‖logits adapted‖      must stay below TOLERANCE of the weights' type
    effect  ‖logits adapted - logits base‖ / ‖logits base‖           what the adapter does at all

on one picture and a row of tokens drawn at random. Weights that the adapter does not touch are copied from the base's
files bit for bit. Memory: one model, the logits of one row, and a small buffer.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lora_demo.methods import merging, nf4, own_format, peft_format, registry, surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.folder import check, read
from lora_demo.methods.module import LinearAdapter
from lora_demo.models import fingerprint, names, weights
from lora_demo.models.catalogue import Catalogue
from lora_demo.models.mgm import MGM
from lora_demo.models.places import Places
from lora_demo.models.projectors import PROJECTORS
from lora_demo.models.released import CONFIG, GEOMETRY, read_json
from lora_demo.models.tensor_writer import Source, from_tensor, write_sharded
from lora_demo.results.store import write_atomically
from lora_demo.results.units import GIB
from lora_demo.training import results
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""Rounding alone stays well below: a merge rounds each weight once, a forward each activation."""
PROBE_TOKENS = 24
BESIDE = (CONFIG, "generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer.model")
BESIDE += (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "LICENSE",
    "NOTICE",
    "USE_POLICY.md",
)
FOREIGN = "non_lora_trainables.bin"


class MergeFailed(RuntimeError):
    """The merged model computes something else than the unmerged one, or cannot be written; nothing was written."""


@dataclass(frozen=True)
class AdapterFolder:
    """Where an adapter lies: a run of `lora-demo train`, a folder in PEFT's format, or one in ours."""

    folder: Path
    tensors: Path
    method: str
    run: Recipe | None = None

    @classmethod
    def find(cls, folder: Path) -> AdapterFolder:
        """The adapter inside a run's folder stands for the run, which knows its base and its projectors.

        Raises MethodError for a folder without an adapter that can be merged, RecipeError for a broken recipe.
        """
        folder = _run_around(folder) or folder
        path = folder / results.RECIPE
        run = recipe_files.parse(read_json(path), str(path)) if path.is_file() else None
        tensors = folder / results.ADAPTER if run else folder
        if run and not results.place(run, folder).exists():
            raise MethodError(
                f"{folder}: this run is unfinished, it has no {results.place(run, folder).name} yet; "
                f"`lora-demo train {run.name} --out {folder} --resume`, with the settings it was started with, "
                "finishes it"
            )
        if run and run.method.name in results.WHOLE:
            raise MethodError(f"{folder}: {run.method.name} trained the model itself; {folder / results.MODEL} is it")
        if (tensors / FOREIGN).is_file():
            raise MethodError(f"{folder}: holds {FOREIGN} of MGM's own code; models.weights.load merges such a folder")
        if (tensors / own_format.FILES[0]).is_file():
            method = read(tensors, own_format.FILES)[0].get("method")
        elif (tensors / peft_format.FILES[0]).is_file():
            method = "peft"
        else:
            wanted = (*(() if run else (results.RECIPE,)), peft_format.FILES[0], own_format.FILES[0])
            raise MethodError(f"{tensors}: holds no adapter; expected one of {', '.join(wanted)} in it")
        known = registry.METHODS.get(run.method.name if run else str(method))
        if known is not None and not known.mergeable and method != "qlora":
            name = run.method.name if run else method
            raise MethodError(f"{folder}: {name} is no update of a weight, so nothing can be merged; keep it beside")
        return cls(folder, tensors, str(method), run)

    def attach(self, model: MGM) -> set[str]:
        """Put the adapter on the model; names of the parameters that change by it, projectors included.

        Raises MethodError for a file that is broken or does not fit.
        """
        trained = self._projectors(model)
        file = peft_format if self.method == "peft" else own_format
        try:
            file.load(model.language_model, self.tensors)
        except MethodError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            words = f"lacks {error}" if isinstance(error, KeyError) else f"holds a setting that cannot be: {error}"
            raise MethodError(f"{self.tensors / file.FILES[0]}: {words}; save the adapter anew") from error
        model.load_state_dict(trained, strict=False)
        model.eval()
        return set(trained)

    def _projectors(self, model: MGM) -> dict[str, Tensor]:
        """The run's projectors, exactly those of the model; none if it left them alone."""
        path = self.folder / results.PROJECTORS
        if not path.is_file():
            if self.run and self.run.method.projectors:
                raise MethodError(f"{path}: is not there, though this run trained the projectors too")
            return {}
        try:
            trained = load_file(path)
        except (OSError, SafetensorError) as error:
            raise MethodError(f"{path}: cannot be read: {error}; take the run's own file, or train it anew") from error
        shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if name.split(".")[0] in PROJECTORS}
        check(trained, shapes, path)
        return trained


@dataclass(frozen=True)
class Verified:
    """How far the merged model is from the unmerged one.

    agreement  share of positions with the same most likely token
    base_known whether the adapter says which base it belongs to, so that it could be checked
    """

    error: float
    effect: float
    agreement: float
    changed: int
    base_known: bool

    @property
    def drowned(self) -> bool:
        """Rounding takes more than half of what the adapter does."""
        return self.error > self.effect / 2 > 0


def merge(adapter: AdapterFolder, base: Path, out: Path, *, dtype: torch.dtype | None = None) -> Verified:
    """Write the merged checkpoint to `out`, which must not exist.

    dtype  of all weights; None keeps each as the base stores it
    Raises MethodError or CheckpointError for input that does not fit, MergeFailed if the check fails.
    """
    _require_place(out)
    model = weights.load(base, dtype=dtype or weights.stored_dtype(base))
    verified, changed = merged_and_checked(model, adapter)
    write(model, changed, Places(base).collect(), base, out, dtype)
    return verified


def merged_and_checked(model: MGM, adapter: AdapterFolder) -> tuple[Verified, set[str]]:
    """Merge into the model in place; which parameters changed. Raises MergeFailed if it is not the same function."""
    known = fingerprint.require_same(model, adapter.folder)
    if adapter.run and adapter.run.model.nf4:
        nf4.quantise_linears(model.language_model, surgery.ALL)
    before = probe(model)
    changed = adapter.attach(model)
    adapted = probe(model)
    changed |= _dequantise(model) | _wrapped(model)
    merging.merge(model.language_model)
    merging.unload(model.language_model)
    merged = probe(model)
    verified = Verified(
        error=distance(merged, adapted),
        effect=distance(adapted, before),
        agreement=float((merged.argmax(-1) == adapted.argmax(-1)).float().mean()),
        changed=len(changed),
        base_known=known,
    )
    limit = TOLERANCE[next(model.parameters()).dtype]
    if not verified.error <= limit:
        raise MergeFailed(
            f"merged and unmerged model differ by {verified.error:.1e} of their logits, more than {limit:.0e}; nothing "
            "was written. Merge in float32 (--dtype float32), and report this if it stays"
        )
    return verified, changed


@torch.no_grad()
def probe(model: MGM) -> Tensor:
    """float32 logits (PROBE_TOKENS, vocabulary) after a random picture and random tokens; the same for every call."""
    generator = torch.Generator().manual_seed(0)
    config, parameter = model.config, next(model.parameters())
    drawn = torch.randint(4, config.llm.vocab_size, (1, PROBE_TOKENS), generator=generator)
    image = torch.tensor([[config.llm.bos_token_id, config.splice.image_token_index]])
    ids = torch.cat([image, drawn], dim=1)
    labels = torch.cat([torch.full_like(image, config.splice.ignore_index), drawn], dim=1)
    sides = (config.clip.image_size, config.aux.image_size)
    views = (torch.randn(1, 3, side, side, generator=generator) for side in sides)
    small, large = (view.to(parameter.device, parameter.dtype) for view in views)
    return model(ids, None, small, large, labels=labels, supervised_only=True).logits.float().cpu()


def distance(found: Tensor, expected: Tensor) -> float:
    """‖found - expected‖ / ‖expected‖"""
    return float((found - expected).norm() / expected.norm())


def write(
    model: MGM, changed: set[str], catalogue: Catalogue, base: Path, out: Path, dtype: torch.dtype | None
) -> None:
    """The checkpoint in a new folder beside `out`, then renamed: `out` is whole or does not exist."""
    tensors = {}
    for ours, parameter in model.named_parameters():
        key = names.released_from_ours(ours)
        stored = catalogue.stored[key]
        kept = dtype or stored.entry.dtype
        pieces = (piece for _, piece in stored.file.pieces(stored.key))
        own = from_tensor(parameter, kept)
        tensors[key] = own if ours in changed else Source(own.entry, pieces)
    fresh = _fresh_beside(out, sum(source.nbytes for source in tensors.values()))
    try:
        files = write_sharded(fresh, dict(sorted(tensors.items())))
        write_atomically(fresh / GEOMETRY, json.dumps(model.config.to_dict(), indent=2) + "\n")
        for name in BESIDE:
            if (base / name).is_file():
                shutil.copyfile(base / name, fresh / name)
        weights.inspect(fresh)
        for file in files:
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        fresh.chmod(0o755)
        fresh.rename(out)
    except OSError as error:
        raise MergeFailed(f"{out}: cannot be written: {error}; nothing is left behind") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run_around(folder: Path) -> Path | None:
    """The run's folder if this is the adapter inside one."""
    inside = folder.resolve()
    is_adapter = inside.name == results.ADAPTER and not (inside / results.RECIPE).exists()
    return inside.parent if is_adapter and (inside.parent / results.RECIPE).is_file() else None


def _require_place(out: Path) -> None:
    """Raise MethodError, before anything is loaded, where `out` exists or its place cannot be written."""
    try:
        if out.exists():
            raise MethodError(f"{out}: exists already; name a new folder")
        above = next(parent for parent in out.absolute().parents if parent.exists())
    except OSError as error:
        raise _unwritable(out, str(error)) from error
    if not above.is_dir():
        raise _unwritable(out, f"{above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise _unwritable(out, f"{above} is read-only")


def _fresh_beside(out: Path, needed: int) -> Path:
    """A new, empty folder beside `out`, where there is room for so many bytes."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out.parent).free
        if free >= needed:
            return Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise _unwritable(out, str(error)) from error
    raise MergeFailed(f"{out}: needs {needed / GIB:.1f} GiB, {free / GIB:.1f} GiB are free; nothing was written")


def _unwritable(out: Path, why: str) -> MethodError:
    return MethodError(f"{out}: cannot be written: {why}; name another place with --out")


def _wrapped(model: MGM) -> set[str]:
    """Parameters of the layers that carry an adapter, under the names they have without it."""
    wrapped = surgery.adapters(model.language_model)
    bases = {name: module.base for name, module in wrapped.items() if isinstance(module, LinearAdapter)}
    return {f"language_model.{name}.{part}" for name, base in bases.items() for part, _ in base.named_parameters()}


def _dequantise(model: MGM) -> set[str]:
    """Ordinary layers with the NF4 values in place of packed ones: the function that was trained, now mergeable."""
    llm = model.language_model
    packed = {name: module for name, module in llm.named_modules() if isinstance(module, nf4.NF4Linear)}
    for name, module in packed.items():
        llm.set_submodule(name, nf4.to_linear(module))
    return {f"language_model.{name.removesuffix('.base')}.weight" for name in packed}
