"""Run benchmarks: a batch per method, then metrics and report."""
