"""The HTML gallery of a batch."""
