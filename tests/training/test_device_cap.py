"""The cap: a fraction of the larger GPU that leaves the smaller one's bytes; refusals say what to do instead."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from lora_demo.results.units import GIB
from lora_demo.training.measurement.device_cap import CapRefused, cap_memory


@pytest.fixture
def large_gpu(monkeypatch) -> dict:
    """A pretended GPU of 44 GiB; what was asked of PyTorch."""
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Large")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(total_memory=44 * GIB))
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: asked.update(share=share, device=device)
    )
    return asked


def test_the_fraction_leaves_the_smaller_cards_bytes(large_gpu, monkeypatch):
    cap_memory(11 * GIB, "small")
    assert large_gpu == {"share": 0.25, "device": torch.device("cuda", 0)}
    monkeypatch.setenv("LOCAL_RANK", "3")
    cap_memory(44 * GIB, "the same")
    assert large_gpu == {"share": 1.0, "device": torch.device("cuda", 3)}


def test_a_larger_card_cannot_be_acted_out(large_gpu):
    with pytest.raises(CapRefused, match=r"--as-gpu h200: Large has 44\.00 GiB, less than the 140\.00 GiB"):
        cap_memory(140 * GIB, "h200")
    assert large_gpu == {}


def test_without_a_gpu_there_is_nothing_to_cap(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CapRefused, match=r"no CUDA GPU here.*lora-demo predict --gpu rtx4090"):
        cap_memory(GIB, "rtx4090")
