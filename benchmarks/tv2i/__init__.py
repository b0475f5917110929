"""CelebA-TV2I and similar benchmarks: pairs, methods, metrics, reports and surveys."""
