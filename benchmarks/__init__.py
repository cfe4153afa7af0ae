"""Benchmarks of the operations that dominate the run time of a study: `python -m benchmarks`."""
