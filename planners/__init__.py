"""Planners: from a picture and a sentence to a `Plan`."""
