"""Weights that a backbone starts from: published ones, fetched and converted, or those of a pretext task."""
