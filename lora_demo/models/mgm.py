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

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lora_demo.models.chunked_loss import Kernel, chunked_next_token_loss, headless
from lora_demo.models.config import MGMConfig
from lora_demo.models.llm import build_llm
from lora_demo.models.loss import as_index, gather_positions, next_token_loss
from lora_demo.models.mining import mine
from lora_demo.models.mining_direct import mine_direct
from lora_demo.models.packing import one_sequence_per_row
from lora_demo.models.projectors import build_mining_projector, build_projector
from lora_demo.models.splice import Plan, assemble, plan_splice
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


@dataclass(frozen=True)
class MGMOutput:
    """loss    mean over supervised tokens, or None without labels
    logits  (batch, length, vocabulary); with `supervised_only`: (supervised tokens, vocabulary); with `loss_chunk`
            they are never formed: (0,)
    plan    where images and padding lie in the spliced sequence
    """

    loss: Tensor | None
    logits: Tensor
    plan: Plan


class MGM(nn.Module):
    """The model. Build it under `torch.device("meta")` to count or trace it at no cost.

    mining  "folded" is the cheap exact form, "direct" the original computation
    """

    def __init__(self, config: MGMConfig, *, mining: Mining = "folded") -> None:
        super().__init__()
        self.config = config
        self.mining = mining
        # Any: a transformers causal language model, which PEFT may wrap later.
        self.language_model: Any = build_llm(config.llm)
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

    def plan(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        images: int | None = None,
        padding_side: Literal["left", "right"] | None = None,
    ) -> Plan:
        """Lay out a batch of real ids. Pass the plan to `forward` when the ids there are fake."""
        return plan_splice(
            input_ids,
            attention_mask,
            labels,
            images=images,
            image_tokens=self.config.image_tokens,
            config=self.config.splice,
            padding_side=padding_side,
        )

    def embed(
        self, input_ids: Int[Tensor, "batch tokens"], plan: Plan, image_embeds: Tensor | None
    ) -> Float[Tensor, "batch length hidden"]:
        """What enters the first decoder layer.

        Gemma multiplies text embeddings by sqrt(hidden). Where the embedding module does so itself (transformers 5.4
        and later) the language model takes `inputs_embeds` as they are, and image tokens must be scaled here; where
        it does not, the language model scales all it is given, or, like Llama, nothing.
        """
        words = self.language_model.get_input_embeddings()
        text = words(input_ids.clamp(min=0))
        if image_embeds is None:
            return assemble(plan, text, None)
        scale = getattr(words, "embed_scale", None)
        scaled = image_embeds.to(text.dtype)
        return assemble(plan, text, scaled if scale is None else scaled * scale.to(text.dtype))

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
    ) -> MGMOutput:
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
        if plan.labels is None:
            return MGMOutput(loss=None, logits=self._logits(embeds, plan), plan=plan)
        if loss_chunk is not None:
            return self._supervise_in_chunks(embeds, plan, denominator, loss_chunk, loss_kernel)
        return self._supervise(embeds, plan, supervised_only, denominator)

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

    def _logits(self, embeds: Tensor, plan: Plan, keep: Tensor | None = None) -> Tensor:
        # Right padding lies behind every real position, so causal attention never sees it; leaving the mask out
        # keeps the fast attention kernels, which a padded mask would switch off.
        mask = torch.tensor(plan.mask, device=embeds.device) if plan.needs_mask else None
        chosen = {} if keep is None else {"logits_to_keep": keep}
        # Through the language model's own call, not its parts: adapters of several kinds hang on that call.
        with one_sequence_per_row():
            return self.language_model(inputs_embeds=embeds, attention_mask=mask, use_cache=False, **chosen).logits

    def _supervise(
        self, embeds: Tensor, plan: Plan, supervised_only: bool, denominator: float | int | Tensor | None
    ) -> MGMOutput:
        rows, columns, targets = _supervised_columns(plan)
        if supervised_only:
            # One selection of positions serves all rows of a batch, so it is the union over the rows.
            kept = sorted(set(columns))
            columns = [bisect_left(kept, column) for column in columns]
            logits = self._logits(embeds, plan, as_index(kept, embeds.device))
        else:
            logits = self._logits(embeds, plan)
        chosen = gather_positions(logits, as_index(rows, embeds.device), as_index(columns, embeds.device))
        loss = next_token_loss(chosen, as_index(targets, embeds.device), denominator)
        return MGMOutput(loss=loss, logits=chosen if supervised_only else logits, plan=plan)

    def _supervise_in_chunks(
        self, embeds: Tensor, plan: Plan, denominator: float | int | Tensor | None, chunk: int, kernel: Kernel
    ) -> MGMOutput:
        rows, columns, targets = (as_index(column, embeds.device) for column in _supervised_columns(plan))
        head = self.language_model.get_output_embeddings()
        with headless(head):
            hidden = self._logits(embeds, plan)
        chosen = gather_positions(hidden, rows, columns)
        loss = chunked_next_token_loss(chosen, head, targets, denominator, chunk=chunk, kernel=kernel)
        return MGMOutput(loss=loss, logits=chosen.new_empty(0), plan=plan)


def _supervised_columns(plan: Plan) -> tuple[list[int], list[int], list[int]]:
    """Rows, positions and targets of everything that counts in the loss."""
    places = plan.supervised
    if not places:
        raise ValueError("no label in this batch counts in the loss: every one is ignored or was cut off")
    rows, columns, targets = (list(column) for column in zip(*places, strict=True))
    return rows, columns, targets


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
