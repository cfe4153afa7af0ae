"""Rendered datasets for the demo and the tests, and the shapes of the pretext task."""
