"""Results for other programs: WebDataset and Parquet."""
