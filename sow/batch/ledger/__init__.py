"""The ledger: the jobs of a batch, their states and the runners that work on them."""
