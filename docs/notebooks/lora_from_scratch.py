# The one source of the notebook in both languages: `# %% [zh]` and `# %% [en]` are text, `# %%` is code for both.
# After an edit: lora-demo notebook (runs the cells, writes docs/zh/notebooks and docs/en/notebooks with their outputs).

# %% [zh]
# # 一小时手写 LoRA
#
# 从一个线性层开始，把 LoRA 一步步写出来。每写完一步就用断言和测试过的实现对一遍；全程只用小张量，一台笔记本几秒钟就跑完。建议先盖住代码自己写，再看。

# %% [en]
# # LoRA from scratch in an hour
#
# Starting from one linear layer we write LoRA step by step, and after each step assert it against the tested implementation. Only small tensors: a laptop runs it in seconds. Best used by covering the code and writing it yourself first.

# %%
import math

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
d_in, d_out, r, alpha = 24, 16, 4, 8
base = nn.Linear(d_in, d_out).double().requires_grad_(False)
x = torch.randn(5, d_in, dtype=torch.float64)

# %% [zh]
# ## 第一步：前向
#
# 公式是 `y = Wx + b + (α/r)·B(Ax)`。先乘 A 再乘 B，中间只有 r 维；不要先把 BA 乘成一个大矩阵。A 随机、B 全零，所以起点就是原模型。

# %% [en]
# ## Step one: the forward pass
#
# The formula is `y = Wx + b + (α/r)·B(Ax)`. Multiply by A first, then by B: only r numbers in between, never the large matrix BA. A is random and B zero, so the start is the base model.


# %%
class MyLoRA(nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.base, self.scale = base, alpha / r
        self.A = nn.Parameter(torch.empty(r, base.in_features, dtype=base.weight.dtype))
        self.B = nn.Parameter(torch.zeros(base.out_features, r, dtype=base.weight.dtype))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * self.scale


mine = MyLoRA(base, r, alpha)
assert torch.equal(mine(x), base(x))
limit = 1 / math.sqrt(d_in)
print("max|A| <= 1/sqrt(d_in):", bool(mine.A.abs().max() <= limit))

# %% [zh]
# ## 第二步：第一步的梯度
#
# B 是零，所以 A 的梯度是零；A 不是零，所以 B 有梯度。第一步动的是 B，从第二步起 A 才动。反过来初始化也能学，两个都是零就永远不动。

# %% [en]
# ## Step two: gradients at step 0
#
# B is zero, so A's gradient is zero; A is not, so B has one. The first step moves B, and A moves from the second. The mirrored start learns as well; with both zero nothing ever moves.

# %%
mine(x).square().sum().backward()
print("A:", mine.A.grad.abs().max().item() > 0, " B:", mine.B.grad.abs().max().item() > 0)
assert not mine.A.grad.any() and mine.B.grad.any()

# %% [zh]
# ## 第三步：和测试过的实现对一遍
#
# 把同样的 A、B 放进包里的实现和 PEFT，输出要一致。

# %% [en]
# ## Step three: against tested implementations
#
# Put the same A and B into the package's layer and into PEFT: the outputs must agree.

# %%
import peft

from lora_demo.methods.lora import LoRALinear

with torch.no_grad():
    mine.B.normal_()
ours = LoRALinear(base, r, alpha)
ours.lora_A, ours.lora_B = mine.A, mine.B
theirs = peft.get_peft_model(nn.Sequential(base), peft.LoraConfig(r=r, lora_alpha=alpha, target_modules=["0"]))
layer = theirs.base_model.model[0]
layer.lora_A["default"].weight.data = mine.A.data
layer.lora_B["default"].weight.data = mine.B.data
for name, other in (("lora_demo", ours), ("peft", theirs)):
    gap = (other(x) - mine(x)).abs().max().item()
    print(f"{name:10} agrees:", gap < 1e-12)
    assert gap < 1e-12

# %% [zh]
# ## 第四步：数参数
#
# 一层多出 `r(d_in + d_out)` 个。和原权重打平的秩是 `d_in·d_out / (d_in + d_out)`，超过它 LoRA 反而更大。

# %% [en]
# ## Step four: count
#
# A layer gains `r(d_in + d_out)` parameters. The break-even rank is `d_in·d_out / (d_in + d_out)`; above it LoRA is the larger one.

# %%
trainable = sum(p.numel() for p in mine.parameters() if p.requires_grad)
assert trainable == r * (d_in + d_out)
print("trainable:", trainable, " full:", base.weight.numel())
print("break-even rank:", d_in * d_out / (d_in + d_out))

# %% [zh]
# ## 第五步：合并
#
# 合并就是 `W + (α/r)·BA`。双精度里前后一致到舍入误差；bf16 里每次合并都要把和舍入一次，来回一趟就有元素回不到原值。

# %% [en]
# ## Step five: merge
#
# Merging is `W + (α/r)·BA`. In double precision both agree up to rounding; in bf16 every merge rounds the sum once, and after a round trip some entries do not come back.

# %%
delta = mine.scale * mine.B.detach() @ mine.A.detach()
merged = F.linear(x, base.weight + delta, base.bias)
print("float64 agrees:", torch.allclose(merged, mine(x), rtol=0, atol=1e-12))
weight = base.weight.to(torch.bfloat16)
there = (weight.float() + delta.float()).to(torch.bfloat16)
back = (there.float() - delta.float()).to(torch.bfloat16)
changed = (back != weight).double().mean().item()
print("bfloat16 restores every entry:", changed == 0)
assert 0 < changed < 1

# %% [zh]
# ## 第六步：更新的秩
#
# 不管怎么训练，ΔW 的秩都不会超过 r：第 r 个以后的奇异值是零。

# %% [en]
# ## Step six: the rank of the update
#
# However it is trained, ΔW has rank at most r: beyond the r-th the singular values are zero.

# %%
values = torch.linalg.svdvals(delta)
print("rank:", int((values > 1e-10 * values[0]).sum()), "of", min(delta.shape))
assert (values[r:] < 1e-10 * values[0]).all()

# %% [zh]
# ## 第七步：秩不够时会剩下什么
#
# 让目标改动的秩是 6，LoRA 只给 r = 1 到 6。训练以后剩下的误差就是没学到的奇异值的平方和，一点不多一点不少：这就是截断 SVD 最优的意思。

# %% [en]
# ## Step seven: what too small a rank leaves
#
# Let the wanted change have rank 6 and give LoRA r from 1 to 6. What training leaves is the sum of the squared singular values it could not learn, no more and no less: that is what the optimality of the truncated SVD means.

# %%
true_values = torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
u = torch.linalg.qr(torch.randn(d_out, 6, dtype=torch.float64)).Q
v = torch.linalg.qr(torch.randn(d_in, 6, dtype=torch.float64)).Q
wanted = u * true_values @ v.T
print("r   left   tail")
for rank in (1, 2, 4, 6):
    student = MyLoRA(base, rank, rank)
    optimizer = torch.optim.LBFGS([student.A, student.B], max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (student.B @ student.A * student.scale - wanted).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    left, tail = closure().item(), true_values[rank:].square().sum().item()
    print(f"{rank}  {left:5.2f}  {tail:5.2f}")
    assert abs(left - tail) < 1e-3

# %% [zh]
# ## 第八步：NF4 是怎么存的
#
# 每块 64 个值除以块内最大值，再各取码本里最近的一个。码本不是等距的：按正态分布的分位点排，零附近密。误差最大不过块内最大值乘半个最宽码距，再加一点尺度的误差。

# %% [en]
# ## Step eight: how NF4 stores a weight
#
# Each block of 64 values is divided by its largest, then each takes the nearest entry of the code book. The book is not evenly spaced: it follows the quantiles of the normal distribution, dense near zero. The error is at most half the widest gap times the block's maximum, plus a little from the scale.

# %%
from lora_demo.methods import nf4

book = torch.tensor(nf4.code_book())
block = torch.randn(64)
scale = block.abs().max()
index = (block[:, None] / scale - book).abs().argmin(dim=1)
restored = book[index] * scale
widest = book.diff().max()
assert len(book) == 16
assert (restored - block).abs().max() <= widest / 2 * scale * (1 + 1e-6)
packed = nf4.quantise(block)
assert torch.allclose(nf4.dequantise(packed, (64,), torch.float32), restored, atol=1e-6)
print("code book:", [round(value, 2) for value in book.tolist()])
print("bits per value:", round(4 + 8 / 64 + 32 / (64 * 256), 3))

# %% [zh]
# ## 收尾：合上书再写一遍
#
# 白板上能省的都能省，三样不能省：冻结、B 置零、缩放。写完自问四句：起点是不是原模型？只有 A、B 在动吗？合并两次会怎样？存下来的文件够不够还原？

# %% [en]
# ## To finish: close the page and write it again
#
# At a whiteboard nearly everything may be dropped, except three things: freezing, the zero B, the scale. Then ask yourself: is the start the base model? Do only A and B move? What happens if it is merged twice? Is what was saved enough to restore it?
