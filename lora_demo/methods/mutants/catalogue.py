"""All mutants by name."""

from __future__ import annotations

from lora_demo.methods.mutants.mutant import Mutant
from lora_demo.methods.mutants.of_lora import LORA
from lora_demo.methods.mutants.of_model import MODEL
from lora_demo.methods.mutants.of_others import OTHERS
from lora_demo.methods.mutants.of_storage import STORAGE

MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in (*LORA, *MODEL, *OTHERS, *STORAGE)}
