"""The model whose steps are read for the closed form: the probe's decoder, alone or inside MGM without a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import nn

from lora_demo.memory.formula import symbols
from lora_demo.memory.subjects.subject import PlannedSubject, Size, Subject, TextSubject
from lora_demo.models.llm import build_llm
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_NANO
from lora_demo.training.step import MicroBatch

FAMILIES = ("gemma", "llama")
"""Decoders whose layers keep different tensors. Gemma is probed inside MGM, under MGM's own forward and loss, and that
stands for Gemma alone too: `closed_form_check` draws both."""
IGNORED, WORD = -100, 7


class WithoutPicture:
    """MGM on rows of text: what the pictures add is constant per picture and measured elsewhere."""

    def __init__(self, subject: PlannedSubject) -> None:
        self._subject = subject
        self.vocabulary = subject.vocabulary

    @property
    def model(self) -> nn.Module:
        return self._subject.model

    @property
    def language_model(self) -> nn.Module:
        return self._subject.language_model

    def replace_language_model(self, adapted: nn.Module) -> None:
        self._subject.replace_language_model(adapted)

    def micro_batch(self, size: Size) -> MicroBatch:
        count = size.supervised or size.length - 1
        ids = torch.full((size.batch, size.length), WORD)
        labels = torch.full_like(ids, IGNORED)
        labels[:, -count:] = WORD
        plan = self._subject.model.plan(ids, torch.ones_like(ids), labels)
        return MicroBatch({"input_ids": ids.to("meta"), "plan": plan}, size.batch * count)


def probe_subject(family: str, layers: int, *, tied: bool) -> Subject:
    """A probe with so many layers on the meta device."""
    config = symbols.probe(family, layers, tied=tied)
    with torch.device("meta"):
        if family != "gemma":
            return TextSubject(cast(nn.Module, build_llm(config)).to(torch.bfloat16).train())
        splice = replace(MGM_NANO.splice, max_length=symbols.LENGTH)
        return WithoutPicture(PlannedSubject(MGM(replace(MGM_NANO, llm=config, splice=splice)).to(torch.bfloat16)))
