"""Vendors of multimodal models: one file per SDK, listed in `registry.VENDORS`."""
