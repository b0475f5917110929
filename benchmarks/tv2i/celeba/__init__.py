"""CelebA-TV2I: 600 pairs of a photographed face and a sentence, over CelebAMask-HQ."""
