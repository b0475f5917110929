"""The drawn world: people, things and scenes, drawn with their whole truth."""
