"""Suggest the name that was meant: one letter off, or a word of like meaning; else none."""

from __future__ import annotations

from collections.abc import Collection, Iterable

SHORTEST = 3
"""Letters of a misspelt word; in a shorter one, one letter is too much of it."""
LIKE_MEANING: tuple[tuple[str, ...], ...] = (
    ("image", "face", "picture", "photo", "photograph", "img", "input", "input_image",
     "init_image", "init_img", "source"),
    ("prompt", "text", "caption", "sentence", "description"),
    ("negative_prompt", "negative", "neg_prompt", "uncond"),
    ("canvas", "size", "resolution", "dimensions", "image_size"),
    ("box", "bbox", "bounding_box", "condition_box", "place", "position", "location", "rect"),
    ("related", "region", "regions", "related_regions", "areas"),
    ("objects", "things", "items"),
    ("relations", "triples", "triple", "relation", "relationships", "edges"),
    ("suppress", "suppression", "avoid", "exclude"),
    ("seed", "random_seed", "manual_seed", "noise_seed", "rng"),
    ("num", "count", "n", "num_images", "num_images_per_prompt", "n_samples", "n_iter", "amount"),
    ("steps", "num_inference_steps", "sampling_steps", "ddim_steps", "num_steps"),
    ("guidance_scale", "guidance", "cfg", "cfg_scale", "scale"),
    ("cycles", "num_cycles", "rounds", "iterations"),
    ("mask", "mask_image", "mask_img"),
    ("matte", "cutout", "segmentation"),
    ("setting", "task", "mode"),
    ("settings", "options", "config", "parameters", "presets"),
    ("model", "checkpoint", "ckpt", "model_id", "model_name", "base_model"),
    ("device", "gpu", "cuda"),
    ("dtype", "torch_dtype", "precision"),
    ("planner", "llm", "vlm", "mllm"),
    ("graph", "scene_graph"),
    ("out", "output", "outdir", "out_dir", "output_dir", "output_path", "output_file", "save_to"),
    ("force", "overwrite"),
    ("quiet", "silent"),
    ("generate", "make", "create", "draw", "gen", "img2img", "txt2img"),
    ("download", "fetch", "pull"),
    ("show", "info", "inspect", "view"),
    ("doctor", "diagnose"),
    ("words", "vocabulary", "vocab"),
    ("figures", "figure", "drawn", "figures-tv2i"),
    ("celeba-tv2i", "celeba", "celebamask-hq"),
    ("sdxl", "xl", "sd-xl", "stable-diffusion-xl"),
    ("sd2.1", "sd21", "sd2", "stable-diffusion", "stable-diffusion-2-1"),
)  # fmt: skip
"""Groups of words that mean one thing, as people who know other programs may call it."""


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word most likely means, misspelt or in other words, or None."""
    names = {_plain(name): name for name in known}
    plain = _plain(word)
    if (meant := find_misspelt(plain, names)) is not None:
        return names[meant]
    for group in LIKE_MEANING:
        alike = [name for name in map(_plain, group) if name in names]
        if alike and plain in map(_plain, group):
            return names[alike[0]]
    return None


def find_misspelt(word: str, known: Collection[str]) -> str | None:
    """Return the only known word that is at most one letter off, or None.

    A letter may be wrong, missing or too many, or two neighbours swapped.
    """
    if word in known:
        return word
    near = [name for name in known if is_one_letter_off(word, name)]
    return near[0] if len(near) == 1 and len(word) >= SHORTEST else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint of an error about an unknown name: the one that was meant, or `otherwise`."""
    meant = suggest(word, known)
    return f"did you mean {meant!r}?" if meant is not None else otherwise


def is_one_letter_off(word: str, other: str) -> bool:
    """Return whether one letter is wrong, missing or too many, or two neighbours are swapped."""
    start = _num_equal(word, other)
    word, other = word[start:], other[start:]
    end = _num_equal(word[::-1], other[::-1])
    word, other = word[: len(word) - end], other[: len(other) - end]
    if max(len(word), len(other)) == 1:
        return True
    return len(word) == 2 and word == other[::-1]


def _num_equal(word: str, other: str) -> int:
    """Return how many letters are the same from the start."""
    pairs = enumerate(zip(word, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(word), len(other)))


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("-", "_").replace(" ", "_")
