"""MGM (Mini-Gemini): a language model that reads image tokens mined from a high-resolution view.

    images      --CLIP------> query   (batch, queries, clip width)
    images_aux  --ConvNeXt--> pyramid (batch, channels, side, side)
    visual  = query + mine(query, pyramid)
    tokens  = mm_projector(visual), times sqrt(hidden) for a Gemma language model
    logits  = language model(text with each placeholder replaced by its image's tokens)

Both towers are frozen: no gradient, always in eval mode, whatever `train()` is called with.
Source: Li et al. 2024, arXiv 2403.18814, section 3.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lora_demo.models.chunked_loss import Kernel
from lora_demo.models.config import MGMConfig
from lora_demo.models.mining import mine
from lora_demo.models.mining_direct import mine_direct
from lora_demo.models.projectors import build_mining_projector, build_projector
from lora_demo.models.splice import Plan
from lora_demo.models.spliced import SplicedModel, SplicedOutput
from lora_demo.models.towers import (
    TowerFeatures,
    build_clip,
    build_convnext,
    clip_features,
    convnext_stages,
    pyramid,
)

Mining = Literal["folded", "direct"]
MINING = {"folded": mine, "direct": mine_direct}


class MGM(SplicedModel):
    """The model. Build it under `torch.device("meta")` to count or trace it at no cost.

    mining  "folded" is the cheap exact form, "direct" the original computation
    """

    def __init__(self, config: MGMConfig, *, mining: Mining = "folded") -> None:
        super().__init__(config)
        self.config: MGMConfig = config
        self.mining = mining
        self.vision_tower = build_clip(config.clip).requires_grad_(False).eval()
        self.vision_tower_aux = build_convnext(config.aux).requires_grad_(False).eval()
        width, channels = config.clip.hidden_size, config.aux.channels
        self.mm_projector = build_projector(width, config.llm.hidden_size)
        self.vlm_uni_query_projector = build_mining_projector(width, width)
        self.vlm_uni_aux_projector = build_mining_projector(channels, width)
        self.vlm_uni_val_projector = build_mining_projector(channels, width)

    def train(self, mode: bool = True) -> MGM:
        super().train(mode)
        self.vision_tower.eval()
        self.vision_tower_aux.eval()
        return self

    @property
    def device(self) -> torch.device:
        return next(self.mm_projector.parameters()).device

    @torch.no_grad()
    def see(
        self, images: Float[Tensor, "batch 3 small small"], images_aux: Float[Tensor, "batch 3 large large"]
    ) -> TowerFeatures:
        """Run the frozen towers, each in its own dtype."""
        clip, aux = self.vision_tower, self.vision_tower_aux
        return TowerFeatures(
            query=clip_features(clip, images.to(_dtype(clip)), self.config.clip.layers_used),
            stages=convnext_stages(aux, images_aux.to(_dtype(aux))),
        )

    def project(self, features: TowerFeatures) -> Float[Tensor, "batch queries hidden"]:
        """Mine the map with the queries and carry the result into the text space, in the projectors' dtype."""
        dtype = _dtype(self.mm_projector)
        query, map_ = features.query.to(dtype), pyramid(features.stages).to(dtype)
        mined = MINING[self.mining](
            query, map_, self.vlm_uni_query_projector, self.vlm_uni_aux_projector, self.vlm_uni_val_projector
        )
        return self.mm_projector(query + mined)

    def encode_images(
        self, images: Float[Tensor, "batch 3 small small"], images_aux: Float[Tensor, "batch 3 large large"]
    ) -> Float[Tensor, "batch queries hidden"]:
        """Image tokens as the projector leaves them, before any embedding scale."""
        return self.project(self.see(images, images_aux))

    def forward(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Tensor | None = None,
        images: Tensor | None = None,
        images_aux: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        features: TowerFeatures | None = None,
        plan: Plan | None = None,
        supervised_only: bool = False,
        denominator: float | int | Tensor | None = None,
        loss_chunk: int | None = None,
        loss_kernel: Kernel = "own",
    ) -> SplicedOutput:
        """Logits, and with labels the loss.

        features         cached output of `see`, instead of images
        plan             a layout made before, for fake or meta ids
        supervised_only  compute logits only where the next token counts: same loss, far less memory
        denominator      what to divide the summed loss by, instead of the number of supervised tokens
        loss_chunk       with labels: form the loss so many supervised tokens at a time, and no logits
        loss_kernel      by which code, see `chunked_loss`
        """
        image_embeds = self._image_embeds(images, images_aux, features)
        count = None if image_embeds is None else image_embeds.shape[0]
        plan = plan or self.plan(input_ids, attention_mask, labels, images=count)
        embeds = self.embed(input_ids, plan, image_embeds)
        return self.answer(
            embeds,
            plan,
            supervised_only=supervised_only,
            denominator=denominator,
            loss_chunk=loss_chunk,
            loss_kernel=loss_kernel,
        )

    @torch.no_grad()
    def generate(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Tensor | None = None,
        images: Tensor | None = None,
        images_aux: Tensor | None = None,
        **options: Any,
    ) -> Int[Tensor, "batch new"]:
        """Continue prompts with transformers' `generate` and its cache; returns the new tokens only.

        Prompts are padded on the left, so that every row's next token comes last. `options` go to transformers.
        """
        image_embeds = self._image_embeds(images, images_aux, None)
        count = None if image_embeds is None else image_embeds.shape[0]
        plan = self.plan(input_ids, attention_mask, images=count, padding_side="left")
        embeds = self.embed(input_ids, plan, image_embeds)
        mask = torch.tensor(plan.mask, device=embeds.device)
        return self.language_model.generate(inputs_embeds=embeds, attention_mask=mask, **options)

    def _image_embeds(
        self, images: Tensor | None, images_aux: Tensor | None, features: TowerFeatures | None
    ) -> Tensor | None:
        if (images is None) != (images_aux is None):
            raise ValueError("images and images_aux are two views of the same pictures: give both or neither")
        if features is not None:
            return self.project(features)
        return None if images is None or images_aux is None else self.encode_images(images, images_aux)


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
