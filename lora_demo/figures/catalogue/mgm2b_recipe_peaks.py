"""What the shipped LoRA recipes for MGM-2B take from cards of 24 GB down to 6 GB, predicted from the recipes."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_peaks import TOLERANCE
from lora_demo.figures.registry import both, figure
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.results.record import installed_versions
from lora_demo.training.recipes import recipe_files

LENGTH = 2048
SUPERVISED = {"6gb": 64}
"""Where not every position after the picture counts in the loss."""


@figure(
    "mgm2b.recipe_peak.{card}",
    unit="B",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both(
        f"配方 mgm-2b-lora-{{card}} 一步从卡上占走的显存，T={LENGTH}",
        f"Recipe mgm-2b-lora-{{card}}, memory that one step takes from the card, T={LENGTH}",
    ),
    conditions=both(
        "按配方原样：LoRA r=16 挂七个线性层，fused AdamW，激活重算，损失分块；一行一张图，T 含 576 个图像位置；"
        "6gb 只有 64 个位置算损失，基座按自带的 NF4 追踪，是上界；其余的每个位置都算。"
        "数的是分配器从卡上占走的（reserved），不含 CUDA 上下文；预测值，没有在 GPU 上实测",
        "as the recipe says: LoRA r=16 on all seven linear layers, fused AdamW, activations recomputed, the loss in "
        "chunks; one image per row, T counts the 576 image positions; on 6gb 64 positions count in the loss and the "
        "base is traced in our own NF4, an upper bound; elsewhere every position counts. What the allocator reserves "
        "on the card, without the CUDA context; predicted, not measured on a GPU",
    ),
    environment=installed_versions,
    over={"card": ("24gb", "12gb", "8gb", "6gb")},
)
def recipe_peak(card: str) -> int:
    supervised = SUPERVISED.get(card, "null")
    data = f"data={{kind: synthetic, length: {LENGTH}, supervised: {supervised}}}"
    name = f"mgm-2b-lora-{card}"
    rows = recipe_files.load(name).micro_batch or 1
    # Two micro-batches: in the second the gradients of the first are there, as in any longer accumulation.
    recipe = recipe_files.load(name, [data, "model.weights=random", f"batch={2 * rows}"])
    return predict_recipe(recipe).peak_reserved
