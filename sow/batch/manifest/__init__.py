"""Manifests: jobs, the files that list them, and the files that jobs name."""
