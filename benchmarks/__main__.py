"""Run all benchmarks and print one table."""

from benchmarks import augmentation, confusion, epoch, packs, prediction, step
from benchmarks.timing import report

report(packs.measure, augmentation.measure, step.measure, epoch.measure, confusion.measure, prediction.measure)
