"""The jobs of a batch on several machines or GPUs, by Ray; without it nothing of this is read."""
