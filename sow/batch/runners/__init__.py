"""Runners: take jobs, make their pictures, hand them in; here or in a Ray cluster."""
