"""Packs, class statistics, the loader and augmentation."""
