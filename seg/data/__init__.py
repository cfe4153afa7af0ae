"""Packs and their statistics, the loader, and augmentation."""
