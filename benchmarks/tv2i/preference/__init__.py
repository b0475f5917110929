"""What people prefer: a page that asks them blindly, and the evaluation of their votes."""
