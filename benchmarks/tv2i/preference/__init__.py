"""What people prefer: a page that asks them blindly, and the votes that come out of it."""
