"""What batches hold: kills, resumes, throughput; each study writes a table."""
