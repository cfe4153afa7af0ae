"""Validation of a dataset on disk: one reading of every file, findings grouped by fault, and how they are shown."""
