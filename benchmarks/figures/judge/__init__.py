"""The judge: small networks that read pictures of the drawn world, and what they measure."""
