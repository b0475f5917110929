"""The drawn world at 256 px: people, animals, things and places, rendered with every part known."""
