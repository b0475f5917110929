"""Plans by a multimodal language model, in the stages of the paper."""
