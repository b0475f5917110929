"""Manifests: jobs, and the files that list them."""
