"""`sow tune`: try candidates on the same people, measure them, and propose one for a checkpoint."""
