"""What pictures cost: calls, seconds, memory."""
