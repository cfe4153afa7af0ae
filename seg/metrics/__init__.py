"""Confusion matrices, labels from logits, and the scores computed from them."""
