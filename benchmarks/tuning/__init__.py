"""`sow tune`: candidates on the same people, measured, and one proposal for a checkpoint."""
