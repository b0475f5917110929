"""Studies on the bundled drawn world."""
