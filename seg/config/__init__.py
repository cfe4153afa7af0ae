"""Schema of `params.yaml` and the recipes resolved from it. Imports no torch: every start of Snakemake waits."""
