"""Batches: many jobs from a manifest into a results folder, resumable."""
