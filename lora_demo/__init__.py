"""Verified interview preparation for LoRA and parameter-efficient fine-tuning."""
