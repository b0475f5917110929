"""Measurements: what the engine costs and what it draws."""
