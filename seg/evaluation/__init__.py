"""Evaluation, prediction, bootstrap and paired comparison."""
