"""The drawn world, its judge, and studies on them."""
