"""Runners: claim jobs, make their pictures and record them, locally or in a Ray cluster."""
