"""Small helpers without a meaning of their own: files, type checks, quiet libraries, limits."""
