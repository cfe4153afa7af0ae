"""Evaluation, prediction, intervals and paired comparison."""
