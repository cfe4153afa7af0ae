"""Training of one variant with one seed, and pretraining of backbones."""
