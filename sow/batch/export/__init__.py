"""Export results as WebDataset or Parquet shards."""
