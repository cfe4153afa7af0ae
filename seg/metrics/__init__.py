"""Labels from logits, confusion matrices, and scores."""
