"""What is traced: models and PEFT adapters on the meta device, and batches for them."""
