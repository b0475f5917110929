"""Attention under control: what is changed in it while pictures are made, and what is seen."""
