"""Training and pretraining."""
