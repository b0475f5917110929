"""Planning by a multimodal language model, in the three stages of the paper."""
