"""MGM-2B: its parts, its total, and what its own two stages train."""

from __future__ import annotations

from lora_demo.figures.counting import parameters
from lora_demo.figures.geometry import gemma_2b, mgm_2b, mining
from lora_demo.figures.registry import both, figure

TIED = both("输出层与词嵌入共用一个矩阵，只算一次", "the output layer shares the embedding matrix, which counts once")
STAGE_TWO = both(
    "MGM 自己的第二阶段：语言模型和投影层训练，两个视觉塔冻结",
    "MGM's own second stage: language model and projectors train, both vision towers stay frozen",
)


@figure("mgm2b.params.llm", unit="params", title=both("Gemma-2B 的参数量", "parameters of Gemma-2B"), conditions=TIED)
def llm() -> int:
    return parameters(gemma_2b())


@figure(
    "mgm2b.params.embedding",
    unit="params",
    title=both("Gemma-2B 词嵌入的参数量", "parameters of Gemma-2B's token embedding"),
    conditions=TIED,
)
def embedding() -> int:
    return parameters(gemma_2b().get_input_embeddings())


@figure(
    "mgm2b.embedding.share_of_llm",
    unit="%",
    title=both("词嵌入占 Gemma-2B 的比例", "share of Gemma-2B that is token embedding"),
)
def embedding_share() -> float:
    return embedding() / llm()


@figure(
    "mgm2b.params.layer",
    unit="params",
    title=both("Gemma-2B 一层的参数量", "parameters of one Gemma-2B decoder layer"),
)
def layer() -> int:
    return parameters(gemma_2b().model.layers[0])


@figure("mgm2b.params.clip", unit="params", title=both("CLIP 视觉塔的参数量", "parameters of the CLIP tower"))
def clip_tower() -> int:
    return parameters(mgm_2b().vision_tower)


@figure(
    "mgm2b.params.convnext", unit="params", title=both("ConvNeXt 视觉塔的参数量", "parameters of the ConvNeXt tower")
)
def convnext_tower() -> int:
    return parameters(mgm_2b().vision_tower_aux)


@figure(
    "mgm2b.params.towers",
    unit="params",
    title=both("MGM-2B 两个视觉塔的参数量", "parameters of MGM-2B's two vision towers"),
)
def towers() -> int:
    return clip_tower() + convnext_tower()


@figure(
    "mgm2b.params.projector",
    unit="params",
    title=both("MGM-2B 两层 MLP 投影层的参数量", "parameters of MGM-2B's two-layer projector"),
)
def mlp_projector() -> int:
    return parameters(mgm_2b().mm_projector)


@figure(
    "mgm2b.params.mining",
    unit="params",
    title=both("MGM-2B 细节挖掘模块的参数量", "parameters of MGM-2B's patch-info mining"),
)
def patch_mining() -> int:
    return parameters(mining())


@figure(
    "mgm2b.params.total", unit="params", title=both("MGM-2B 的总参数量", "parameters of MGM-2B in all"), conditions=TIED
)
def total() -> int:
    return parameters(mgm_2b())


@figure(
    "mgm2b.stage1.trainable",
    unit="params",
    title=both("MGM-2B 第一阶段训练的参数量", "parameters that MGM-2B's first stage trains"),
    conditions=both("投影层和细节挖掘模块", "projector and patch-info mining"),
)
def stage_one() -> int:
    return mlp_projector() + patch_mining()


@figure(
    "mgm2b.full.trainable",
    unit="params",
    title=both("MGM-2B 全参微调训练的参数量", "parameters that full fine-tuning of MGM-2B trains"),
    conditions=STAGE_TWO,
)
def full() -> int:
    return llm() + stage_one()


@figure(
    "mgm2b.full.share",
    unit="%",
    title=both("MGM-2B 全参微调训练的比例", "share of MGM-2B that full fine-tuning trains"),
    conditions=STAGE_TWO,
)
def full_share() -> float:
    return full() / total()


@figure(
    "mgm2b.stage1.share",
    unit="%",
    title=both("MGM-2B 第一阶段训练的比例", "share of MGM-2B that its first stage trains"),
)
def stage_one_share() -> float:
    return stage_one() / total()
