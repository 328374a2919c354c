"""What a recipe can be refused for before anything is loaded, and how the commands say so: exit status 2."""

from __future__ import annotations

from lora_demo.data.images import ImageError
from lora_demo.data.items import DataError
from lora_demo.data.json_index import BrokenFile
from lora_demo.data.tokenizer import TokenizerError
from lora_demo.memory.cards import UnknownCard
from lora_demo.methods.errors import MethodError
from lora_demo.models.config import ConfigError
from lora_demo.models.tensor_files import CheckpointError
from lora_demo.training.engine.optimizers import OptimizerUnavailable
from lora_demo.training.measurement.device_cap import CapRefused
from lora_demo.training.recipes.recipe_files import RecipeError

BAD_INPUT = (
    RecipeError,
    MethodError,
    ConfigError,
    CheckpointError,
    TokenizerError,
    DataError,
    BrokenFile,
    ImageError,
    OptimizerUnavailable,
    UnknownCard,
    CapRefused,
)
