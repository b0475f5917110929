"""CelebA-TV2I and its like: pairs, methods, metrics, reports, and votes of people."""
