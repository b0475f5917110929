"""From pairs to a report: every method's pictures through a batch of its own, then all measured."""
