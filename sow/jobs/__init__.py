"""Many jobs: what they are, what became of them, and who carries them out."""
