"""The other parameter-efficient methods on MGM-2B's language model."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_parts import total
from lora_demo.figures.counting import biases, linears, trained
from lora_demo.figures.geometry import gemma_2b, mgm_2b, mining
from lora_demo.figures.registry import both, figure

LLM_ONLY = both("只作用在语言模型上", "on the language model only")
LLM = "gemma-2b"
PREFIX_TOKENS = (20, 30, 50, 100)


def _hidden() -> int:
    return gemma_2b().config.hidden_size


def _outputs(*names: str) -> int:
    return sum(layer.out_features for layer in linears(gemma_2b(), names))


@figure(
    "mgm2b.adapter.houlsby.b{width}",
    unit="params",
    title=both("Houlsby Adapter、瓶颈 {width} 的参数量", "parameters of Houlsby adapters with bottleneck {width}"),
    conditions=both("每层两个，LayerNorm 不另加", "two per layer, no LayerNorm of their own"),
    over={"width": (64, 256)},
)
def houlsby(width: int) -> int:
    return trained(LLM, "adapter", bottleneck=width)


@figure(
    "mgm2b.adapter.houlsby.b{width}.share",
    unit="%",
    title=both(
        "Houlsby Adapter、瓶颈 {width} 的可训练比例", "trainable share of Houlsby adapters with bottleneck {width}"
    ),
    over={"width": (64, 256)},
)
def houlsby_share(width: int) -> float:
    return houlsby(width) / total()


@figure(
    "mgm2b.adapter.single.b64",
    unit="params",
    title=both("每层一个 Adapter、瓶颈 64 的参数量", "parameters of one adapter per layer with bottleneck 64"),
)
def single_adapter() -> int:
    return trained(LLM, "adapter", targets=["down_proj"], bottleneck=64)


@figure(
    "mgm2b.prefix.t{tokens}",
    unit="params",
    title=both(
        "Prefix Tuning {tokens} 个虚拟 token 的参数量", "parameters of prefix tuning with {tokens} virtual tokens"
    ),
    conditions=both(
        "不带重参数化；Gemma 只有一个 KV 头，所以很小", "no reparametrisation; tiny because Gemma has one KV head"
    ),
    over={"tokens": PREFIX_TOKENS},
)
def prefix(tokens: int) -> int:
    """Each virtual token owns a key and a value in every layer."""
    return trained(LLM, "prefix", count=tokens)


@figure(
    "mgm2b.prefix.t{tokens}.share",
    unit="%",
    title=both(
        "Prefix Tuning {tokens} 个虚拟 token 的可训练比例", "trainable share of prefix tuning, {tokens} virtual tokens"
    ),
    over={"tokens": PREFIX_TOKENS},
)
def prefix_share(tokens: int) -> float:
    return prefix(tokens) / total()


@figure(
    "mgm2b.prefix.t20_projected",
    unit="params",
    title=both(
        "Prefix Tuning 20 个 token、带重参数化的参数量", "parameters of prefix tuning, 20 tokens, reparametrised"
    ),
    conditions=both(
        "PEFT 的 MLP，宽度取默认；训练后可以折叠掉", "PEFT's MLP at its default width; folds away after training"
    ),
)
def projected_prefix() -> int:
    """Embedding t x w, Linear w -> w, Linear w -> 2 L w, with w the width of all KV heads."""
    config = mgm_2b().config.llm
    return trained(LLM, "prefix", count=20, hidden=config.num_key_value_heads * config.head_dim)


@figure(
    "mgm2b.prompt.t20",
    unit="params",
    title=both("Prompt Tuning 20 个虚拟 token 的参数量", "parameters of prompt tuning with 20 virtual tokens"),
)
def prompt() -> int:
    return trained(LLM, "prompt", count=20)


@figure(
    "mgm2b.ptuning.t20",
    unit="params",
    title=both("P-tuning 20 个虚拟 token 的参数量", "parameters of P-tuning with 20 virtual tokens"),
    conditions=both("PEFT 的三层 MLP 编码器，宽度 128", "PEFT's three-layer MLP encoder of width 128"),
)
def ptuning() -> int:
    width = 128
    layers = ((_hidden(), width), (width, width), (width, _hidden()))
    return 20 * _hidden() + sum(i * o + o for i, o in layers)


@figure(
    "mgm2b.ia3.peft",
    unit="params",
    title=both("IA³ 在 PEFT 默认目标上的参数量", "parameters of IA³ on PEFT's default targets"),
    conditions=both("q、v 的输出和 down 的输入", "outputs of q and v, input of down"),
)
def ia3_peft() -> int:
    return trained(LLM, "ia3", targets=["q_proj", "v_proj", "down_proj"], feedforward=["down_proj"])


@figure(
    "mgm2b.ia3.classic",
    unit="params",
    title=both("IA³ 按论文目标的参数量", "parameters of IA³ on the paper's targets"),
    conditions=both("k、v 的输出和 down 的输入", "outputs of k and v, input of down"),
)
def ia3_classic() -> int:
    return trained(LLM, "ia3", targets=["k_proj", "v_proj", "down_proj"], feedforward=["down_proj"])


@figure(
    "mgm2b.lntuning",
    unit="params",
    title=both("只训 RMSNorm 增益的参数量", "parameters when only the RMSNorm gains train"),
    conditions=LLM_ONLY,
)
def layer_norm_tuning() -> int:
    return trained(LLM, "layernorm")


@figure(
    "mgm2b.bitfit",
    unit="params",
    title=both("BitFit 在 Gemma-2B 上能训的参数量", "parameters that BitFit finds to train on Gemma-2B"),
    conditions=both("Gemma 一个 bias 都没有", "Gemma has no bias at all"),
)
def bitfit() -> int:
    return biases(gemma_2b())


@figure("mgm2b.bias.clip", unit="params", title=both("CLIP 塔里的 bias 数", "bias values in the CLIP tower"))
def clip_biases() -> int:
    return biases(mgm_2b().vision_tower)


@figure(
    "mgm2b.bias.convnext", unit="params", title=both("ConvNeXt 塔里的 bias 数", "bias values in the ConvNeXt tower")
)
def convnext_biases() -> int:
    return biases(mgm_2b().vision_tower_aux)


@figure(
    "mgm2b.bias.projectors",
    unit="params",
    title=both("投影层和细节挖掘模块里的 bias 数", "bias values in projector and patch-info mining"),
)
def projector_biases() -> int:
    return biases(mgm_2b().mm_projector) + biases(mining())


@figure(
    "mgm2b.bias.attention_zero_init",
    unit="params",
    title=both(
        "给注意力四个投影补零初始化 bias 的参数量", "biases added to the four attention projections, zero at init"
    ),
)
def attention_biases() -> int:
    return _outputs("q_proj", "k_proj", "v_proj", "o_proj")


@figure(
    "mgm2b.bias.all_zero_init",
    unit="params",
    title=both("给七类线性层都补零初始化 bias 的参数量", "biases added to all seven linear layers, zero at init"),
)
def all_biases() -> int:
    return attention_biases() + _outputs("gate_proj", "up_proj", "down_proj")


@figure(
    "mgm2b.prefix.cache_per_token",
    unit="B/token",
    title=both("Gemma-2B 每个 token 的 KV 缓存", "Gemma-2B's KV cache per token"),
    conditions=both("bf16；一个虚拟 token 也占这么多", "bf16; a virtual token takes as much"),
)
def cache_per_token() -> int:
    return 2 * _outputs("k_proj", "v_proj")


@figure(
    "mgm2b.prefix.t20.positions",
    unit="tokens",
    title=both("20 个虚拟 token 占掉的上下文位置", "context positions that 20 virtual tokens take"),
)
def prefix_positions() -> int:
    return 20
