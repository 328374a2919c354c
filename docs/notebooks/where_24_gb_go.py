# The one source of the notebook in both languages: `# %% [zh]` and `# %% [en]` are text, `# %%` is code for both.
# After an edit: lora-demo notebook (runs the cells, writes docs/zh/notebooks and docs/en/notebooks with their outputs).

# %% [zh]
# # 24 GB 去哪了
#
# 同一张 4090，同一个 MGM-2B：全参一步差一点放不下，LoRA 放得很宽裕。这一页把一步训练的显存一项一项拆开，先用纸笔，再把真实的训练步跑在没有数据的张量上。不需要 GPU，一台笔记本不到一分钟。

# %% [en]
# # Where do 24 GB go
#
# One 4090, one MGM-2B: a step of full fine-tuning just misses, LoRA fits with room to spare. This page takes the memory of a training step apart, first on paper, then by running the real step on tensors without data. No GPU needed; a laptop takes less than a minute.

# %%
from dataclasses import replace

from lora_demo.memory.cards import card
from lora_demo.memory.formula.closed_form import ALL, Request, base_parameters, estimate, every_point, model_dimensions
from lora_demo.memory.predict import Setting, explain
from lora_demo.memory.tracing.alive import tree

GIB = 2**30


def bars(parts, scale=40):
    most = max(parts.values())
    for name, size in parts.items():
        print(f"{name:18} {size / GIB:6.2f} GiB  {'#' * round(scale * size / most)}")


# %% [zh]
# ## 先看卡
#
# 标称 24 GB，PyTorch 看得到的少一点，CUDA 上下文再拿走一点。后面所有的“放得下”都和最后这个数比。

# %% [en]
# ## The card first
#
# The label says 24 GB, PyTorch sees a little less, and the CUDA context takes its share. Every "fits" below is against the last number.

# %%
device = card("rtx4090")
print(f"PyTorch sees      {device.visible / GIB:6.2f} GiB")
print(f"a process may use {device.budget / GIB:6.2f} GiB")

# %% [zh]
# ## 纸笔能算的：状态
#
# 权重、梯度、两个矩。全参训练语言模型和投影层，视觉塔冻结；纯 bf16 每个训练的参数八个字节，冻结的两个。

# %% [en]
# ## What paper can do: the state
#
# Weights, gradients, two moments. Full fine-tuning trains the language model and the projectors, the towers stay frozen; in pure bf16 a trained parameter takes eight bytes, a frozen one two.

# %%
model = model_dimensions("mgm-2b")
trained = base_parameters(model) + model.image["trained"]
frozen = model.image["frozen"]
state = {"weights": 2 * (trained + frozen), "gradients": 2 * trained, "moments": 4 * trained}
bars(state)
print(
    f"in all {sum(state.values()) / GIB:.2f} GiB, left for the rest {(device.budget - sum(state.values())) / GIB:.2f} GiB"
)
assert trained == 2_519_431_424

# %% [zh]
# ## 真实的一步，没有数据的张量
#
# 状态放下了，一步却不一定放得下。把真实的训练步跑在 meta 设备上：每块显存什么时候要、什么时候还，都记下来，再按 PyTorch 的缓存分配器重放。T=1024，batch 1，AdamW 用 CUDA 上默认的 foreach。

# %% [en]
# ## The real step, on tensors without data
#
# The state fits; the step may not. Run the real training step on the meta device, note when each piece of memory is asked for and given back, and replay that through PyTorch's caching allocator. T=1024, batch 1, AdamW as CUDA runs it by default: foreach.

# %%
full = Setting("mgm-2b", "full", length=1024, optimizer="foreach")
trace, result = explain(full)
bars(result.parts)
print(f"peak {result.peak_allocated / GIB:.2f} GiB allocated, {result.peak_reserved / GIB:.2f} GiB reserved")
assert sum(result.parts.values()) == result.peak_allocated
assert result.peak_allocated > device.budget

# %% [zh]
# 峰值那一刻没有激活：它落在优化器更新里。foreach 版要一份和可训练参数一样大的临时张量，这就是“差一点”的那一点。谁还活着，一层层看：

# %% [en]
# No activations at that moment: the peak lies in the optimizer's update. foreach holds a temporary as large as everything that trains, and that is by how much it misses. Who is alive, level by level:

# %%
for kind in tree(trace, result):
    print(f"{kind['name']:18} {kind['bytes'] / GIB:6.2f} GiB")
    for place in kind["children"][:3]:
        print(f"    {place['name'] or '...':28} {place['bytes'] / GIB:6.2f} GiB")

# %% [zh]
# ## 同样一步，换成 LoRA
#
# 训练的参数少了两个数量级，梯度和矩跟着几乎消失。剩下的是冻结的权重，和 LoRA 一点也不省的东西：激活与 logits。

# %% [en]
# ## The same step with LoRA
#
# Two orders of magnitude fewer parameters train, and gradients and moments all but vanish with them. What is left are the frozen weights, and what LoRA does not save at all: activations and logits.

# %%
lora = replace(full, method="lora:r=16,targets=all")
_, small = explain(lora)
bars(small.parts)
print(f"peak {small.peak_allocated / GIB:.2f} GiB allocated, {small.peak_reserved / GIB:.2f} GiB reserved")
assert small.peak_reserved < device.budget

# %% [zh]
# ## 换成公式
#
# 追踪一次要几秒。项目把追踪里每一项的系数读出来，存成一个公式：峰值 = 固定工作区 + 各时刻里最大的那个和。先和追踪对一遍，再放心用它扫。

# %% [en]
# ## As a formula
#
# A trace takes seconds. The project reads the coefficient of every term off traces and keeps them as a formula: peak = a fixed workspace + the largest of the sums over the moments of a step. Hold it against the trace first, then sweep with it.

# %%
for name, request, traced in (
    ("full", Request(method="full", length=1024), result),
    ("lora", Request(rank=16, targets=ALL, length=1024), small),
):
    found = estimate(model, request)
    off = found.peak / traced.peak_allocated - 1
    print(
        f"{name}: formula {found.peak / GIB:.2f} GiB, trace {traced.peak_allocated / GIB:.2f} GiB, peak at {found.point}"
    )
    assert abs(off) <= 0.02

# %% [zh]
# ## 秩要多少，长度要多少
#
# 秩从 8 提到 64，再把长度翻倍。一目了然：用显存去选秩没有意义，该管的是长度。

# %% [en]
# ## What rank costs, what length costs
#
# Take the rank from 8 to 64, then double the length. Choosing a rank by memory makes no sense; length is what to budget.

# %%
start = Request(rank=8, targets=ALL, length=1024)
first = estimate(model, start).peak
for rank in (8, 16, 32, 64):
    more = estimate(model, replace(start, rank=rank)).peak - first
    print(f"r={rank:<3} T=1024  {more / GIB:+6.2f} GiB")
longer = estimate(model, replace(start, length=2048)).peak - first
print(f"r=8   T=2048  {longer / GIB:+6.2f} GiB")
assert longer > 4 * (estimate(model, replace(start, rank=64)).peak - first)

# %% [zh]
# ## 一次只省一样
#
# 从照最省事的写法做全参开始（T=2048），每行只比上一行多改一处。前两处改动只差舍入，第三处用时间换，第四处用精度换，第五处才是 LoRA，最后一处把基座也压成 NF4。

# %% [en]
# ## One saver at a time
#
# Start from full fine-tuning written the plain way (T=2048); each line changes one thing of the line above. The first two change nothing but rounding, the third costs time, the fourth precision; only the fifth is LoRA, and the last packs the base into NF4.

# %%
way = Request(method="full", length=2048)
steps = [
    ("plain", {}),
    ("logits at 64 supervised positions", {"supervised": 64}),
    ("fused AdamW", {"optimizer": "fused"}),
    ("recomputed activations", {"checkpointing": True}),
    ("8-bit AdamW", {"optimizer": "adamw8bit"}),
    ("LoRA r=16, fused AdamW", {"method": "lora", "optimizer": "fused"}),
    ("base in NF4", {"base": "nf4"}),
]
peaks = []
for name, change in steps:
    way = replace(way, **change)
    peaks.append(estimate(model, way).peak)
    print(f"{name:34} {peaks[-1] / GIB:6.2f} GiB  {'#' * round(peaks[-1] / GIB * 1.5)}")
assert peaks == sorted(peaks, reverse=True)

# %% [zh]
# ## 什么时候 logits 说了算
#
# MGM-2B 的词表有 256,000 个词。所有位置都算 logits 时，找出它们超过其余激活的长度。

# %% [en]
# ## When logits rule
#
# MGM-2B's vocabulary has 256,000 entries. With logits at every position, find the length from which they exceed all other activations.


# %%
def logits_rule(length):
    parts = max(every_point(model, replace(start, length=length)).values(), key=lambda parts: sum(parts.values()))
    return parts["logits"] > parts["activations"]


lengths = [length for length in range(640, 4097, 64) if logits_rule(length)]
print("logits exceed activations at T =", lengths[0] if lengths else "never up to 4096")
plain = every_point(model, replace(start, length=2048))
highest = max(plain.values(), key=lambda parts: sum(parts.values()))
print(f"T=2048: logits {highest['logits'] / GIB:.2f} GiB, activations {highest['activations'] / GIB:.2f} GiB")

# %% [zh]
# ## 带走三句话
#
# 一，先问口径：权重、梯度、矩按字节就能算，峰值还要看长度、batch 和优化器实现。二，LoRA 省的是梯度和矩，激活和 logits 得另外省。三，先用公式或追踪选两三个候选，最后上卡量一次 `max_memory_allocated`。

# %% [en]
# ## Three sentences to keep
#
# One: ask for the convention. Weights, gradients and moments follow from bytes; the peak also depends on length, batch and the optimizer's implementation. Two: LoRA saves gradients and moments; activations and logits need savers of their own. Three: pick two or three candidates by formula or trace, then read `max_memory_allocated` once on the card.
