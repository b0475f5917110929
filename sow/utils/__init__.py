"""Shared helpers: files, validation, type checks, quiet libraries, limits."""
