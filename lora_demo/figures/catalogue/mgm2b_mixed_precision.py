"""Peak of full fine-tuning MGM-2B in standard mixed precision, predicted from the shipped recipe."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_peaks import TOLERANCE
from lora_demo.figures.registry import both, figure
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.results.record import installed_versions
from lora_demo.training.recipes import recipe_files

RECIPE = "mgm-2b-full-mixed"
SUPERVISED = 64


@figure(
    "mgm2b.peak.full_mixed.t{length}",
    unit="B",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both(
        "MGM-2B 一步的显存峰值：标准混合精度全参，foreach AdamW，T={length}",
        "MGM-2B, peak of one step: full fine-tuning in standard mixed precision, foreach AdamW, T={length}",
    ),
    conditions=both(
        f"配方 {RECIPE}：权重、梯度、两个矩都是 fp32，autocast 用 bf16 算；batch 1，一张图，"
        f"只有 {SUPERVISED} 个监督位置算 logits，不重算激活；T 含 576 个图像位置；预测值，没有在 GPU 上实测",
        f"recipe {RECIPE}: weights, gradients and both moments in fp32, computed in bf16 under autocast; batch 1, one "
        f"image, logits at {SUPERVISED} supervised positions only, nothing recomputed; T counts the 576 image "
        "positions; predicted, not measured on a GPU",
    ),
    environment=installed_versions,
    over={"length": (704, 2048)},
)
def full_mixed(length: int) -> int:
    data = f"data={{kind: synthetic, length: {length}, supervised: {SUPERVISED}}}"
    recipe = recipe_files.load(RECIPE, [data, "model.weights=random", "batch=1", "micro_batch=null"])
    return predict_recipe(recipe).peak_allocated
