"""Pictures: reading them, what is planted of them, drawing over them."""
