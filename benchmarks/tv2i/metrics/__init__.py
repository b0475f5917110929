"""Metrics of results: small classes with one interface, each with its source."""
