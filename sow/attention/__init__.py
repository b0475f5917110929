"""Controls of the model's attention: modulation, layout and traces."""
