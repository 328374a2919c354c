"""Parameter-efficient fine-tuning methods from scratch; they know tensors and modules, nothing of models."""
