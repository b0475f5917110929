"""Files that are not on this machine: their addresses, and what can be done with them."""
