"""Replanting, and the guidance scale inside the condition."""

from __future__ import annotations

import numpy as np
import torch
from helpers import QUICK, noise_picture, plan, seeded
from PIL import Image

from sow.pictures.condition import Condition


def test_the_first_picture_is_the_canvas_of_the_second_inversion(tiny):
    """The second encoding is of the first picture with the condition pasted by its mask."""
    encoded: list[torch.Tensor] = []
    hook = tiny.vae.encoder.register_forward_pre_hook(lambda _, args: encoded.append(args[0]))
    mask = Image.new("L", (48, 40), 0)
    mask.paste(255, (12, 0, 36, 40))
    job = {"image": noise_picture(1), "plan": plan(), "mask": mask}
    once = QUICK.changed(cycles=0, planted="condition", first_rim=(0.3, 0.6))
    first = tiny(**job, settings=once.changed(rim=(0.3, 0.6)), generator=seeded(1),
                 output_type="pt").images  # fmt: skip
    tiny(**job, settings=once.changed(replant=1), generator=seeded(1))
    hook.remove()
    assert len(encoded) == 3
    canvas = encoded[2]
    assert torch.equal(encoded[1], encoded[0])
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[8:40, 16 + 4 : 16 + 28] = False
    picture = first[0] * 2 - 1
    assert torch.allclose(canvas[0][:, outside], picture[:, outside], atol=1e-4)
    pixels = np.asarray(Condition.prepare(job["image"], job["plan"], mask).picture) / 127.5 - 1
    condition = torch.from_numpy(pixels).permute(2, 0, 1).float()
    assert torch.allclose(canvas[0, :, 8:40, 29:35], condition[:, :, 13:19], atol=1e-5)


def test_guidance_scale_one_reconstructs_the_condition(tiny):
    """Without reinjection and cycles, sampling undoes the inversion with the same prompt.

    With the paper's guidance scale inside C it does not.
    """
    settings = QUICK.changed(cycles=0, preserve=(), steps=20, t1=8, t2=9, inversion_prompt="plan")
    full_plan = plan((0, 0, 64, 64))
    clean: list[torch.Tensor] = []
    hook = tiny.vae.encoder.register_forward_hook(lambda _, args, out: clean.append(out))
    results = {
        scale: tiny(
            image=noise_picture(1), plan=full_plan, output_type="latent",
            settings=settings.changed(condition_guidance_scale=scale),
        ).images
        for scale in (1.0, 7.5)
    }  # fmt: skip
    hook.remove()
    start = clean[0].chunk(2, dim=1)[0] * tiny.vae.config.scaling_factor
    error = {scale: float((x - start).square().mean()) for scale, x in results.items()}
    assert error[1.0] < 0.2 * error[7.5]
