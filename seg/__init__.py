"""Reruns published comparisons of semantic-segmentation models and tabulates them beside the published figures."""

__version__ = "0.1.0"
