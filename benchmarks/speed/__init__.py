"""The cost of pictures: calls, seconds, memory."""
