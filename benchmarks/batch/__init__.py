"""Studies of batches: kills, resuming, throughput. Each writes a table."""
