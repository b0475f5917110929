"""The engine behind diffusers' interface: calls, cached prefixes, compiling, grounding."""
