"""The ledger: which jobs there are, who has them, what became of them."""
