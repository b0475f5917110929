"""The judge of the drawn world: networks, trained on the renderer's truth, that read pictures."""
