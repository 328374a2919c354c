"""The model against outputs of the public MGM code."""

from __future__ import annotations

import torch

from lora_demo.models import names
from lora_demo.models.mgm import MGM
from lora_demo.models.mining_direct import mine_direct
from lora_demo.models.towers import pyramid

OUTPUTS, GRADIENTS = 1e-5, 1e-4
KEY_BIASES = {"vlm_uni_aux_projector.0.bias", "vlm_uni_aux_projector.1.bias"}


def run(model, inputs):
    return model(*(inputs[name] for name in ("input_ids", "attention_mask", "images", "images_aux", "labels")))


def test_tower_features(reference_model, reference_inputs, reference_outputs, deviation):
    features = reference_model.see(reference_inputs["images"], reference_inputs["images_aux"])
    assert deviation(features.query, reference_outputs["clip_features"]) < OUTPUTS
    assert deviation(pyramid(features.stages), reference_outputs["aux_features"]) < OUTPUTS


def test_image_embeds(reference_model, reference_inputs, reference_outputs, deviation):
    found = reference_model.encode_images(reference_inputs["images"], reference_inputs["images_aux"])
    assert deviation(found, reference_outputs["image_embeds"]) < OUTPUTS


def test_inputs_embeds_carry_the_gemma_scale_everywhere(
    reference_model, reference_inputs, reference_outputs, deviation
):
    ids, mask = reference_inputs["input_ids"], reference_inputs["attention_mask"]
    images = reference_model.encode_images(reference_inputs["images"], reference_inputs["images_aux"])
    found = reference_model.embed(ids, reference_model.plan(ids, mask, images=2), images)
    unscaled = found / reference_model.config.llm.hidden_size**0.5
    assert deviation(unscaled, reference_outputs["inputs_embeds"]) < OUTPUTS


def test_logits_loss_and_layout(reference_model, reference_inputs, reference_outputs, deviation):
    output = run(reference_model, reference_inputs)
    real = reference_outputs["spliced_attention_mask"].bool()
    assert torch.equal(torch.tensor(output.plan.mask), reference_outputs["spliced_attention_mask"])
    assert torch.equal(torch.tensor(output.plan.labels), reference_outputs["spliced_labels"])
    assert deviation(output.logits[real], reference_outputs["logits"][real]) < OUTPUTS
    assert deviation(output.loss[None], reference_outputs["loss"]) < OUTPUTS


def test_text_only(reference_model, reference_inputs, reference_outputs, deviation):
    output = reference_model(reference_inputs["text_input_ids"])
    assert output.loss is None
    assert deviation(output.logits, reference_outputs["text_logits"]) < OUTPUTS


def test_gradients(reference_model, reference_inputs, reference_outputs, deviation):
    run(reference_model, reference_inputs).loss.backward()
    compared = 0
    for ours, parameter in reference_model.named_parameters():
        expected = reference_outputs.get(f"grad.{names.released_from_ours(ours)}")
        if expected is None:
            continue
        compared += 1
        if ours in KEY_BIASES:
            assert expected.abs().max() < 1e-9, "the reference's own gradient is rounding noise"
            assert parameter.grad is None
        else:
            assert deviation(parameter.grad, expected) < GRADIENTS, ours
    assert compared == sum(name.startswith("grad.") for name in reference_outputs) == 25


def test_forgetting_the_image_scale_would_be_seen(
    reference_model, reference_inputs, reference_outputs, deviation, monkeypatch
):
    encode = MGM.encode_images
    scale = reference_model.config.llm.hidden_size**0.5
    monkeypatch.setattr(MGM, "encode_images", lambda self, *views: encode(self, *views) / scale)
    output = run(reference_model, reference_inputs)
    real = reference_outputs["spliced_attention_mask"].bool()
    assert deviation(output.logits[real], reference_outputs["logits"][real]) > 1e-2


def test_direct_mining_agrees_with_the_reference_too(reference_model, reference_inputs, reference_outputs, deviation):
    features = reference_model.see(reference_inputs["images"], reference_inputs["images_aux"])
    mined = mine_direct(
        features.query,
        pyramid(features.stages),
        reference_model.vlm_uni_query_projector,
        reference_model.vlm_uni_aux_projector,
        reference_model.vlm_uni_val_projector,
    )
    found = reference_model.mm_projector(features.query + mined)
    assert deviation(found, reference_outputs["image_embeds"]) < OUTPUTS
