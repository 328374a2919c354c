"""Published answers to "how much memory does full fine-tuning of a 7B take", each divided by its parameters."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter
from lora_demo.figures.catalogue.nominal_sizes import BILLIONS, nominal
from lora_demo.figures.catalogue.seven_b import total
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import GB

# name -> the round size it speaks of
PRINTED = {
    "circulating.full_6b": "6b",
    "circulating.full_7b": "7b",
    "llamafactory.pure_bf16_7b": "7b",
    "biderman2024.states_7b.adam": "7b",
    "llamafactory.full_7b": "7b",
    "llamafactory.full_7b_2024": "7b",
}
SHORT = {name: name.replace(".", "_") for name in PRINTED}
WORDS = {
    SHORT["circulating.full_6b"]: both("流传的 6B 那个数", "the circulating figure for 6B"),
    SHORT["circulating.full_7b"]: both("流传的 7B 那个数", "the circulating figure for 7B"),
    SHORT["llamafactory.pure_bf16_7b"]: both("LLaMA-Factory 纯 bf16", "LLaMA-Factory, pure bf16"),
    SHORT["biderman2024.states_7b.adam"]: both("Biderman 2024 的表", "the table of Biderman 2024"),
    SHORT["llamafactory.full_7b"]: both("LLaMA-Factory 全参", "LLaMA-Factory, full"),
    SHORT["llamafactory.full_7b_2024"]: both("LLaMA-Factory 全参，2024 年初", "LLaMA-Factory, full, early 2024"),
}
FULL_NAMES = {short: name for name, short in SHORT.items()}


@figure(
    "eight_answers.{answer}.bytes_per_param",
    unit="B/param",
    title=both("{answer}折合每参数的字节数", "bytes per parameter implied by {answer}"),
    conditions=both("印出的 GB 除以整数参数量", "the printed GB over the round number of parameters"),
    over={"answer": WORDS},
    words={"answer": WORDS},
)
def implied(answer: str) -> float:
    name = FULL_NAMES[answer]
    return cited(name) / BILLIONS[PRINTED[name]]


@figure(
    "eight_answers.over_inference.{end}",
    unit="GB",
    title=both("推理权重的 {end}倍，7B", "{end} times the inference weights of a 7B"),
    over={"end": ("low", "high")},
    words={"end": {"low": both("三", "three"), "high": both("四", "four")}},
)
def over_inference(end: str) -> float:
    return cited(f"circulating.over_inference.{end}") * nominal("7b", "frozen_bf16")


@figure(
    "eight_answers.llama2_at_eighteen_bytes",
    unit="GB",
    title=both("Llama-2-7B 的真实参数量乘每参数 18 字节", "Llama-2-7B's true parameters at 18 bytes each"),
    conditions=both("DeepSpeed 的口径，十进制 GB", "DeepSpeed's convention, decimal GB"),
)
def llama2_at_eighteen_bytes() -> float:
    return total("llama2_7b") * bytes_per_parameter("full_deepspeed") / GB


@figure(
    "eight_answers.rest_of_160",
    unit="GB",
    title=both(
        "LLaMA-Factory 2024 年初那个数减去混合精度状态",
        "LLaMA-Factory's early-2024 figure less the mixed-precision state",
    ),
    conditions=both("剩下的多半是激活、logits 和余量", "the rest is most likely activations, logits and slack"),
)
def rest_of_160() -> float:
    return cited("llamafactory.full_7b_2024") - nominal("7b", "full_mixed")


@figure(
    "eight_answers.spread",
    unit="ratio",
    title=both("八个公开答案里最大的与最小的之比", "largest of the eight published answers over the smallest"),
)
def spread() -> float:
    answers = [cited(name) for name in PRINTED] + [over_inference("low"), over_inference("high")]
    return max(answers) / min(answers)
