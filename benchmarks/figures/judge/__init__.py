"""The judge: small networks that read pictures of the world of figures, and what they measure."""
