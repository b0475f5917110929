"""Batches with inputs or results in object storage."""
