"""Datasets: their files on disk, their class tables, and how they are downloaded."""

IGNORE = 255  # label of pixels that are not scored, in packs and in everything computed from them
