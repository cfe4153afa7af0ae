"""Times of what decides how long a study takes, each against the usual way, in one run: `python -m benchmarks`."""
