"""MGM-2B and its presets, built from transformers parts; loading released checkpoints."""
