"""Batches whose results are in object storage."""
