"""Reports of benchmarks: tables with intervals and tests, contact sheets, the paper's tables."""
