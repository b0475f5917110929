"""Plans by rules: a face detector, word lists and composition; no key and no network."""
