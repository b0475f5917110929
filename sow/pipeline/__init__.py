"""The engine as a diffusers pipeline; its calls, prefix cache, compilation and grounding."""
