"""Batches: many jobs from a manifest into a folder of results, resumable."""
