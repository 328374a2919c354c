def step_bytes(
    params: float,
    trained: float,
    weight: float = 2.0,  # bytes per stored weight: bf16; NF4 takes 0.52
    state: float = 6.0,  # bytes per trained weight beside itself: gradient and two moments in bf16
    *,
    tokens: int = 0,  # batch · length
    layers: int = 0,
    hidden: int = 0,
    vocabulary: int = 0,
) -> dict[str, float]:
    """Bytes of one training step: "weights", "gradients and moments", "layer inputs", "logits" and their "total"."""
    raise NotImplementedError
