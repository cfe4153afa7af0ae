"""Schema of `params.yaml` and the recipes resolved from it. Imported by every start of Snakemake, so without torch."""
