"""What modulated attention costs: time and memory of one layer, and of whole runs.

    python -m sow.benchmarks.speed.attention [--device cpu] [--repeats 7] [--sd21]

One layer is the finest of Stable Diffusion 2.1 at 512 px: N = 4096 tokens, 5 heads of 64, two
samples; a quarter of the tokens in C, another in R. The peak of memory is that of a process of
its own which does nothing else. `--sd21` also times a call of the full UNet with random weights.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sow.attention.control import Chain, Scene
from sow.attention.edits import Edit, Orders
from sow.attention.kernel import edited_attention
from sow.attention.modulation import Modulation
from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.checkpoints import SD21_BASE, random_pipeline
from sow.box import Box
from sow.diffusion.algorithm import Denoise
from sow.diffusion.jobs import make_jobs
from sow.models import load_pipeline
from sow.plan import Plan, Region
from sow.settings import Settings

SIDE, HEADS, SIZE, SAMPLES = 64, 5, 64, 2
FORMS = ("plain", "fast", "dense")


RAISED, LOWERED = 0.7, 0.5


def dense(query: Tensor, key: Tensor, value: Tensor, condition: Tensor, related: Tensor) -> Tensor:
    """Every matrix in full, as the formula has it."""
    scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
    up = (RAISED * related[:, None, :, None] * condition[:, None, None]).to(query.dtype)
    down = (LOWERED * condition[:, None, :, None] * ~condition[:, None, None]).to(query.dtype)
    highest, lowest = scores.amax(3, keepdim=True), scores.amin(3, keepdim=True)
    scores = scores + up * (highest - scores) - down * (scores - lowest)
    out: Tensor = scores.softmax(3) @ value
    return out


def layer(form: str, dtype: torch.dtype, device: str) -> Callable[[], Tensor]:
    """One layer's attention in one of the three forms."""
    count = SIDE**2
    condition = torch.zeros(SAMPLES, SIDE, SIDE, dtype=torch.bool)
    related = condition.clone()
    condition[:, 8:40, 16:48], related[:, 40:58, 4:61] = True, True
    condition, related = condition.flatten(1), related.flatten(1)
    inside, body = condition.to(device), related.to(device)
    edits = Orders().join(
        [
            Edit("raise", related, inside, RAISED * body),
            Edit("lower", condition, ~inside, LOWERED * inside),
        ]
    )
    assert edits is not None
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(SAMPLES, HEADS, count, SIZE, generator=generator).to(device, dtype)
        for _ in range(3)
    )
    if form == "plain":
        return lambda: scaled_dot_product_attention(query, key, value)
    if form == "fast":
        return lambda: edited_attention(query, key, value, edits)
    return lambda: dense(query, key, value, inside, body)


def seconds(work: Callable[[], Any]) -> float:
    """Of one run, with the device waited for."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def alternated(forms: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taken in turns after one to warm up."""
    for work in forms.values():
        work()
    times = [{name: seconds(work) for name, work in forms.items()} for _ in range(repeats)]
    return {name: median(each[name] for each in times) for name in forms}


def extra_megabytes(form: str, dtype: str, device: str) -> float:
    """Peak memory of one layer over what there is before it, in a process of its own."""
    command = [sys.executable, "-m", "sow.benchmarks.speed.attention", "--peak", form, dtype,
               "--device", device]  # fmt: skip
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak(form: str, dtype: torch.dtype, device: str) -> float:
    work = layer(form, dtype, device)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    small = torch.zeros(1, 1, 8, 8, dtype=dtype)
    scaled_dot_product_attention(small, small, small)  # whatever the first use loads
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark starts anew
    before = _high_water()
    work()
    return (_high_water() - before) / 1024


def _high_water() -> int:
    """The most memory this process has had, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def run_times(repeats: int) -> dict[str, float]:
    """Seconds of a picture of `figures`: unmodulated, as the presets have it, and all of it."""
    pipe = load_pipeline("figures", device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    face = Image.effect_noise((56, 56), 60).convert("RGB")
    body = Region(label="body", box=Box(x=0, y=72, width=128, height=56))
    plan = Plan(canvas=(128, 128), prompt="a person in a red coat", related=(body,),
                box=Box(x=32, y=16, width=56, height=56))  # fmt: skip
    off = pipe.preset("paper-normal").changed(alpha_minus=0, alpha_plus=0, gate="none")
    default = pipe.preset("paper-normal")
    everything = off.changed(alpha_minus=0.5, alpha_plus=0.7, gate="ramp")

    def picture(settings: Settings) -> Callable[[], Any]:
        generator = torch.Generator().manual_seed(0)
        return lambda: pipe(image=face, plan=plan, settings=settings, generator=generator)

    forms = {"off": off, "default": default, "everything": everything}
    return alternated({name: picture(how) for name, how in forms.items()}, repeats)


@torch.no_grad()
def unet_times(repeats: int) -> dict[str, float]:
    """Seconds of one call of Stable Diffusion 2.1's UNet, two samples at 512 px, float32."""
    pipe = random_pipeline(SD21_BASE)
    pipe.unet.to(memory_format=torch.channels_last)
    body = Region(label="body", box=Box(x=32, y=320, width=456, height=192))
    plan = Plan(canvas=(512, 512), prompt="a person", related=(body,),
                box=Box(x=128, y=64, width=256, height=256))  # fmt: skip
    forms = {
        "default": Settings.preset("paper-normal").changed(outside="none"),
        "everything": Settings(alpha_minus=0.5, alpha_plus=0.7, outside="none"),
    }
    face = Image.effect_noise((256, 256), 60).convert("RGB")
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[..., 8:40, 16:48] = True
    latents, text = torch.randn(2, 4, 64, 64), torch.randn(2, 77, 1024)

    def call() -> Any:
        return pipe.unet(latents, torch.tensor(501), encoder_hidden_states=text, return_dict=False)

    def modulated(settings: Settings) -> Callable[[], None]:
        jobs = make_jobs(face, plan, settings, None, None, 8)
        chain = Chain([Modulation()], Scene.of(jobs, mask, StableDiffusion(pipe)))
        move = Denoise(7, cycle=0)

        def work() -> None:
            with chain.installed():
                chain.before_call(move)
                call()
                chain.after_call(move)

        return work

    works = {name: modulated(settings) for name, settings in forms.items()}
    return alternated({"off": call, **works}, repeats)


def main() -> None:
    """Prints the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sd21", action="store_true")
    parser.add_argument("--peak", nargs=2, metavar=("FORM", "DTYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        form, name = options.peak
        print(_peak(form, getattr(torch, name), options.device))
        return
    print("| one layer | seconds: plain | fast | dense | fast / plain | dense / plain "
          "| extra MiB: plain | fast | dense | fast / dense |\n" + "|---" * 10 + "|")  # fmt: skip
    for name in ("float32", "bfloat16"):
        forms = {form: layer(form, getattr(torch, name), options.device) for form in FORMS}
        took = alternated(forms, options.repeats)
        extra = {form: extra_megabytes(form, name, options.device) for form in FORMS}
        print(
            f"| {name} | {took['plain']:.3f} | {took['fast']:.3f} | {took['dense']:.3f} "
            f"| {took['fast'] / took['plain']:.2f} | {took['dense'] / took['plain']:.2f} "
            f"| {extra['plain']:.0f} | {extra['fast']:.0f} | {extra['dense']:.0f} "
            f"| {extra['fast'] / extra['dense']:.1%} |", flush=True,
        )  # fmt: skip
    print("\n| | seconds: unmodulated | as the presets have it | ratio | suppressed too | ratio |")
    print("|---" * 6 + "|")
    rows = {"a picture of figures, float32": run_times(3 * options.repeats)}
    if options.sd21:
        rows["a call of the UNet of SD 2.1, float32"] = unet_times(max(3, options.repeats // 2))
    for name, times in rows.items():
        off, default, everything = times["off"], times["default"], times["everything"]
        print(
            f"| {name} | {off:.3f} | {default:.3f} | {default / off:.3f} "
            f"| {everything:.3f} | {everything / off:.3f} |"
        )


if __name__ == "__main__":
    main()
