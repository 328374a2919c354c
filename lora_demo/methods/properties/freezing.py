"""What trains, what is counted, what is saved, and what must never move."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import LayerCase, layer_cases, randomise_adapter, toy
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, require_equal

TARGETS = ["q_proj", "down_proj"]
METHODS = st.sampled_from(["lora", "dora", "adalora", "ia3", "adapter", "bitfit"])
DECLARED = {
    "lora": {f"{target}.{name}" for target in TARGETS for name in ("lora_A", "lora_B")},
    "dora": {f"{target}.{name}" for target in TARGETS for name in ("lora_A", "lora_B", "magnitude")},
    "adalora": {f"{target}.{name}" for target in TARGETS for name in ("left", "values", "right")},
    "ia3": {f"{target}.factors" for target in TARGETS},
    "adapter": {
        f"{target}.{part}.{name}" for target in TARGETS for part in ("down", "up") for name in ("weight", "bias")
    },
    "bitfit": {f"{module}.bias" for module in ("q_proj", "seq_proj", "down_proj", "norm")},
}


def _adapted(implementation: Implementation, case: LayerCase, method: str) -> nn.Module:
    model = toy(case)
    settings = {
        "ia3": {"targets": TARGETS, "feedforward": ["down_proj"]},
        "adapter": {"targets": TARGETS, "bottleneck": 1},
        "bitfit": {},
    }.get(method, {"targets": TARGETS, "r": case.r, "alpha": case.alpha})
    implementation.registry.apply(model, method, **settings)
    return model


@claim(
    "能训练的、被计数的、被保存的是同一批参数，正好是方法自己声明的那些。",
    "Trainable, counted and saved are the same parameters, exactly those the method declares.",
    case=layer_cases(),
    method=METHODS,
)
def trainable_is_counted_is_saved(implementation: Implementation, case: LayerCase, method: str) -> None:
    model = _adapted(implementation, case, method)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    saved = set(implementation.surgery.collect(model))
    require(
        trained == DECLARED[method],
        f"{method}: trainable although not its own, or the reverse: {trained ^ DECLARED[method]}",
    )
    require(saved == DECLARED[method], f"{method}: wrongly saved or left out: {saved ^ DECLARED[method]}")
    counted = implementation.counting.count_parameters(model)
    values = sum(p.numel() for p in model.parameters() if p.requires_grad)
    require(counted.trainable == values, f"{method}: counted {counted.trainable} trainable values, there are {values}")
    require(counted.total == sum(p.numel() for p in model.parameters()), f"{method}: total counted as {counted.total}")


@claim(
    "训练若干步以后，冻结的权重逐位不变，适配器都动了；权重衰减也碰不到它们。",
    "After trained steps the frozen weights are bit-identical and the adapter has moved; weight decay "
    "does not reach them.",
    case=layer_cases(),
    method=METHODS,
    steps=st.integers(1, 3),
)
def frozen_weights_keep_every_bit(implementation: Implementation, case: LayerCase, method: str, steps: int) -> None:
    model = _adapted(implementation, case, method).train()
    randomise_adapter(implementation, model, case.seed)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    x = case.inputs()
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - x).pow(3).sum().backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        if name not in DECLARED[method]:
            require_equal(parameter, before[name], f"{method}: frozen {name} after {steps} steps")
        elif name != "norm.bias":
            require(not torch.equal(parameter, before[name]), f"{method}: {name} did not move in {steps} steps")


@claim(
    "适配器关掉就是原模型，逐位相同；再打开，输出回来。",
    "With the adapters off the model is the base, bit for bit; switched on again, the output is back.",
    case=layer_cases(),
    method=st.sampled_from(["lora", "dora", "adalora", "ia3", "adapter"]),
)
def disabled_is_the_base(implementation: Implementation, case: LayerCase, method: str) -> None:
    model, x = _adapted(implementation, case, method), case.inputs()
    randomise_adapter(implementation, model, case.seed)
    adapted = model(x)
    with implementation.merging.disabled(model):
        off = model(x)
    require_equal(off, toy(case)(x), f"{method} switched off, against the base")
    require_equal(model(x), adapted, f"{method} switched on again")
    require(not torch.equal(off, adapted), f"{method} makes no difference")


@claim(
    "目标按完整的层名匹配：q_proj 不会误中 seq_proj；写错名字会报错并给出相近的。",
    "Targets match whole names: q_proj does not hit seq_proj, and an unknown name is refused with the near ones.",
    case=layer_cases(),
)
def targets_match_whole_names(implementation: Implementation, case: LayerCase) -> None:
    model = nn.ModuleDict({"layer": toy(case)})
    found = implementation.surgery.find(model, ["q_proj"])
    require(found == ["layer.q_proj"], f"q_proj means {found}")
    every = implementation.surgery.find(model, "all")
    require(every == [f"layer.{name}" for name in ("q_proj", "seq_proj", "down_proj")], f"all means {every}")
    try:
        implementation.surgery.find(model, ["q_prj"])
    except implementation.errors.MethodError as error:
        require("q_proj" in str(error), f"the refusal of q_prj does not name q_proj: {error}")
        return
    raise AssertionError("the unknown target q_prj was accepted")


@claim(
    "保存下来的张量搬到一个新模型上，输出逐位相同：该存的一个没少。",
    "The saved tensors, put into a fresh model, give the same output bit for bit: nothing needed was left out.",
    case=layer_cases(),
    method=METHODS,
)
def what_is_saved_is_enough(implementation: Implementation, case: LayerCase, method: str) -> None:
    model, x = _adapted(implementation, case, method), case.inputs()
    randomise_adapter(implementation, model, case.seed)
    fresh = _adapted(implementation, case, method)
    fresh.load_state_dict(implementation.surgery.collect(model), strict=False)
    require_equal(fresh(x), model(x), f"{method} from its saved tensors")


@claim(
    "dropout 在推理时关掉：两次输出逐位相同，也和没有 dropout 的层一样。",
    "Dropout is off in eval: two passes agree bit for bit, and with a layer without dropout.",
    case=layer_cases(),
    probability=st.sampled_from([0.1, 0.5, 0.9]),
    kind=st.sampled_from(["lora", "dora", "adalora"]),
)
def dropout_is_off_in_eval(implementation: Implementation, case: LayerCase, probability: float, kind: str) -> None:
    outputs, x = [], case.inputs(rows=20)
    for p in (probability, 0.0):
        model = nn.Sequential(case.base())
        settings = {"targets": "all", "r": case.r, "alpha": case.alpha, "dropout": p}
        torch.manual_seed(case.seed)
        implementation.registry.apply(model, kind, **settings)
        randomise_adapter(implementation, model, case.seed)
        outputs += [model.eval()(x), model.eval()(x)]
    require_equal(outputs[0], outputs[1], f"{kind}: two passes in eval")
    require_equal(outputs[0], outputs[2], f"{kind}: eval with dropout {probability} against without")


@claim(
    "dropout 加在旁路的输入 x 上：一个输入维要么整个丢掉，要么按 1/(1-p) 放大；原路不受影响。",
    "Dropout acts on the bypass's input x: a coordinate is dropped whole or scaled by 1/(1-p); the "
    "base's path is spared.",
    case=layer_cases(smallest=3),
    probability=st.sampled_from([0.25, 0.5]),
    kind=st.sampled_from(["lora", "adalora"]),
)
def dropout_acts_on_the_input(implementation: Implementation, case: LayerCase, probability: float, kind: str) -> None:
    model = nn.Sequential(case.base())
    implementation.registry.apply(model, kind, targets="all", r=case.r, alpha=case.alpha, dropout=probability)
    randomise_adapter(implementation, model, case.seed, size=1.0)
    # each row feeds one unit vector, so its update is one column of ΔW: kept whole or gone
    x = torch.eye(case.d_in, dtype=torch.float64).repeat(40, 1)
    base = case.base()(x)
    update = model.eval()(x) - base
    dropped = model.train()(x) - base
    kept = dropped.abs().amax(dim=1) > 1e-12
    require_close(dropped, kept[:, None] * update / (1 - probability), "each unit vector's update, dropped or scaled")
    share = kept.double().mean().item()
    slack = 6 * (probability * (1 - probability) / len(x)) ** 0.5
    require(abs(share - (1 - probability)) < slack, f"{share:.2f} of the inputs were kept, dropout is {probability}")
