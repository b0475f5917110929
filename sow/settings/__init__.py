"""The engine's hyper-parameters: settings, presets, likeness."""
