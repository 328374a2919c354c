"""Conversations and images to tensors; the nano data set."""
