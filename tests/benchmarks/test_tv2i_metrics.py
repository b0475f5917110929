"""Metrics against cases worked out by hand, and the libraries that they mirror."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.metrics import peak_signal_noise_ratio

from sow.benchmarks.tv2i.metrics import convert
from sow.benchmarks.tv2i.metrics.base import Case, Metric, measure, split
from sow.benchmarks.tv2i.metrics.condition_fidelity import ConditionLpips, ConditionPsnr
from sow.benchmarks.tv2i.metrics.copying import Copied, CopyPaste, copied_share
from sow.benchmarks.tv2i.metrics.lpips import Lpips
from sow.benchmarks.tv2i.metrics.outline import OutlineClosed, OutlineTruncated
from sow.benchmarks.tv2i.pairs import Pair
from sow.errors import ModelError
from sow.pictures.condition import Condition
from sow.plan.box import Box
from sow.plan.plan import Plan

BOX = Box(x=40, y=16, width=48, height=48)


def case(result: Image.Image | None, condition: Condition, box: Box = BOX) -> Case:
    pair = Pair("one", "normal", "a person", Path("a.png"), None, 1, 1)
    return Case(pair, result, condition, Plan(canvas=(128, 128), prompt="a person", box=box))


def detailed(seed: int = 0, side: int = 48) -> Condition:
    """Blocks of 4 x 4 pixels of any colour, in a circle."""
    small = np.random.default_rng(seed).integers(40, 216, (side // 4, side // 4, 3), np.uint8)
    picture = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    mask = Image.fromarray(np.hypot(x, y) < side / 2 - 2).convert("L")
    return Condition(picture, mask)


def planted(condition: Condition, at: Box = BOX, ground: int = 90) -> Image.Image:
    """A picture with it pasted in."""
    made = Image.new("RGB", (128, 128), (ground,) * 3)
    made.paste(condition.picture, (at.x, at.y), condition.mask)
    return made


def test_psnr_is_that_of_the_pixels_under_the_mask():
    """All off by 10 levels: 10 log10(255^2 / 100) dB; what is outside does not count."""
    condition = detailed()
    same = planted(condition)
    off = same.point(lambda level: level + 10)
    metric = ConditionPsnr()
    assert metric(case(same, condition)).value == 100
    expected = 10 * math.log10(255**2 / 100)
    assert metric(case(off, condition)).value == pytest.approx(expected)
    noisy = np.asarray(same, int) + np.random.default_rng(1).integers(-30, 30, (128, 128, 3))
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    left, top, right, bottom = BOX.corners
    kept = np.asarray(condition.mask) >= 128
    one, other = noisy[top:bottom, left:right][kept], np.asarray(condition.picture)[kept]
    score = metric(case(Image.fromarray(noisy), condition)).value
    assert score == pytest.approx(peak_signal_noise_ratio(other, one, data_range=255))


def test_psnr_is_torchmetrics():
    functional = pytest.importorskip("torchmetrics.functional.image")
    condition = detailed()
    off = planted(condition).point(lambda level: level * 0.9)
    inside = case(off, condition).inside
    one, other = (torch.tensor(p[inside.mask], dtype=torch.float32)
                  for p in (inside.found, inside.planted))  # fmt: skip
    theirs = functional.peak_signal_noise_ratio(one, other, data_range=255.0)
    assert ConditionPsnr()(case(off, condition)).value == pytest.approx(float(theirs), abs=1e-4)


def test_results_of_another_size_are_measured_on_the_canvas():
    condition = detailed()
    large = planted(condition).resize((256, 256), Image.Resampling.NEAREST)
    assert case(large, condition).box == Box(x=80, y=32, width=96, height=96)
    assert Copied()(case(large, condition)).value == 1.0


def test_what_was_pasted_is_copied_also_a_pixel_off_and_nothing_else_is():
    condition = detailed()
    assert copied_share(case(planted(condition), condition).inside) == 1
    moved = Box(x=BOX.x + 1, y=BOX.y - 1, width=48, height=48)
    assert copied_share(case(planted(condition, moved), condition).inside) == 1
    far = Box(x=BOX.x + 6, y=BOX.y, width=48, height=48)
    assert copied_share(case(planted(condition, far), condition).inside) < 0.4
    assert copied_share(case(planted(detailed(1)), condition).inside) < 0.4
    assert CopyPaste()(case(planted(condition), condition)).value == 1
    assert CopyPaste()(case(planted(detailed(1)), condition)).value == 0


def test_of_a_condition_half_of_which_was_pasted_half_is_copied():
    """Less the two columns whose windows reach over the border: 18 of 40."""
    condition = detailed()
    made = planted(condition)
    made.paste((90, 90, 90), (BOX.x + 24, 0, 128, 128))
    made.paste((250, 20, 20), (BOX.x + 24, BOX.y, BOX.right, BOX.bottom))
    assert copied_share(case(made, condition).inside) == pytest.approx(18 / 40, abs=0.03)


def test_levels_within_the_tolerance_are_the_same_and_no_more():
    condition = detailed()
    for off, least, most in ((15, 1, 1), (17, 0, 0.2)):  # a pixel off, a few are near by chance
        changed = Condition(condition.picture.point(lambda v, o=off: v + o), condition.mask)
        assert least <= copied_share(case(planted(changed), condition).inside) <= most


def test_a_plain_condition_cannot_tell_a_copy():
    plain = Condition(Image.new("RGB", (48, 48), (200, 160, 140)), detailed().mask)
    score = Copied()(case(planted(plain), plain))
    assert score.value is None
    assert "too little contrast" in score.missing


def test_an_outline_is_closed_on_a_wall_and_open_on_a_neck():
    skin = Image.new("RGB", (48, 48), (210, 160, 130))
    condition = Condition(skin, detailed().mask)
    alone = planted(condition)
    body = Image.new("RGB", (128, 128), (90, 90, 90))
    body.paste((180, 137, 111), (34, 30, 94, 128))  # the same colour, a shade darker
    body.paste(skin, (BOX.x, BOX.y), condition.mask)
    assert OutlineClosed()(case(alone, condition)).value == 1
    assert OutlineTruncated()(case(alone, condition)).value == 1
    assert OutlineClosed()(case(body, condition)).value < 0.3
    assert OutlineTruncated()(case(body, condition)).value == 0


def test_an_outline_at_the_border_says_nothing():
    low = Box(x=40, y=80, width=48, height=48)
    condition = Condition(Image.new("RGB", (48, 48)), Image.new("L", (48, 48), 255))
    score = OutlineTruncated()(case(planted(condition, low), condition, low))
    assert score.value is None or score.value in (0.0, 1.0)


class Broken(Metric):
    name, label, better, note = "broken", "Broken", "", "raises"

    def value(self, case: Case) -> float:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")


class Infinite(Metric):
    name, label, better, note = "infinite", "Infinite", "", "is none"

    def value(self, case: Case) -> float:
        return math.inf


def test_a_batch_ends_whatever_is_in_it(tmp_path):
    condition = detailed()
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG but no more")
    pair, plan = case(None, condition).pair, case(None, condition).plan
    cases = [
        case(planted(condition), condition),
        case(None, condition),
        Case.read(pair, damaged, condition, plan),
        Case.read(pair, tmp_path / "nowhere.png", condition, plan),
        case(Image.new("RGB", (1, 1)), condition),
        case(planted(condition), Condition(condition.picture, Image.new("L", (48, 48), 0))),
    ]
    metrics = [ConditionPsnr(), Copied(), OutlineTruncated(), Broken(), Infinite()]
    found = measure(metrics, cases)
    scores, missing = split(found[0])
    assert scores["psnr"] == 100
    assert missing["broken"].startswith("RuntimeError: torch.cat()")
    assert missing["infinite"] == "it is not a number"
    for one in found[1:4]:
        assert {score.value for score in one.values()} == {None}
        assert one["psnr"].missing.startswith("no picture")
    assert found[5]["psnr"].missing == "nothing was planted"
    for one in found:
        values, why = split(one)
        assert set(why) == {name for name, value in values.items() if value is None}
        assert all(why.values())


def lpips_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """As `convert lpips` writes them, at random."""
    dice = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=dice) * (0.1 if name.startswith("stages") else 1)
        - (0.05 if name.startswith("stages") else 0)
        for name, tensor in Lpips().state_dict().items()
    }


def test_lpips_is_torchmetrics(tmp_path):
    """Through the converter: torchvision's AlexNet and torchmetrics's network share the files."""
    theirs = pytest.importorskip("torchmetrics.functional.image.lpips")
    network = theirs._LPIPS(pretrained=False, net="alex", pnet_rand=True).eval()
    alexnet = {}
    for n, (old, new) in enumerate(convert.FEATURES.items()):
        layer = getattr(network.net, f"slice{n + 1}")
        for kind in ("weight", "bias"):
            alexnet[f"features.{old}.{kind}"] = getattr(getattr(layer, str(old)), kind).detach()
        assert new.startswith(f"stages.{n}.")
    heads = {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1)
             for n, c in enumerate((64, 192, 384, 256, 256))}  # fmt: skip
    network.load_state_dict(heads, strict=False)
    torch.save(alexnet, tmp_path / "alexnet.pth")
    torch.save(heads, tmp_path / "alex.pth")
    out = tmp_path / "lpips.safetensors"
    assert (
        convert.main(["lpips", *map(str, (tmp_path / "alexnet.pth", tmp_path / "alex.pth", out))])
        == 0
    )
    one, other = torch.rand(2, 3, 80, 64) * 2 - 1, torch.rand(2, 3, 80, 64) * 2 - 1
    ours = Lpips.load(out)
    assert torch.allclose(ours(one, other), network(one, other).flatten(), atol=1e-5)
    assert ours(one, one).abs().max() == 0


def test_lpips_inside_c_leaves_out_the_scene(tmp_path):
    file = tmp_path / "lpips.safetensors"
    save_file(lpips_weights(), file)
    metric, condition = ConditionLpips.load(file), detailed()
    assert metric(case(planted(condition), condition)).value == pytest.approx(0, abs=1e-6)
    assert metric(case(planted(condition, ground=10), condition)).value == pytest.approx(
        0, abs=1e-6
    )
    assert metric(case(planted(detailed(1)), condition)).value > 0.01
    small = detailed(side=16)  # below what AlexNet can look at
    at = Box(x=8, y=8, width=16, height=16)
    assert metric(case(planted(small, at), small, at)).value == pytest.approx(0, abs=1e-6)


def test_lpips_by_hand():
    """Weights of 0 but one channel's of the first stage: the mean of its squared differences."""
    network = Lpips()
    with torch.no_grad():
        for weight in network.weights:
            weight.zero_()
        network.weights[0][5] = 2.0
        one, other = torch.rand(1, 3, 64, 64) * 2 - 1, torch.rand(1, 3, 64, 64) * 2 - 1
        maps = []
        for picture in (one, other):
            mean = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
            spread = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
            features = network.stages[0]((picture - mean) / spread)[0]
            maps.append(features[5] / (features.square().sum(0) + 1e-8).sqrt())
        expected = 2 * (maps[0] - maps[1]).square().mean()
        assert network(one, other)[0] == pytest.approx(float(expected), rel=1e-4)


def test_pickles_are_not_opened_and_wrong_weights_are_said(tmp_path):
    pickle, text = tmp_path / "lpips.pth", tmp_path / "lpips.safetensors"
    torch.save({"a": torch.zeros(1)}, pickle)
    text.write_bytes(b"nothing")
    for file, line in (
        (pickle, "other formats are not opened; convert it: python -m"),
        (text, "is damaged"),
        (tmp_path / "none", "no weights of"),
    ):
        with pytest.raises(ModelError, match=line):
            Lpips.load(file)
    for change, line in (
        (lambda w: w.pop("weights.0"), "1 tensors are missing, the first weights.0"),
        (lambda w: w.update(more=torch.zeros(1)), "1 tensors are unknown, the first more"),
        (lambda w: w.update({"weights.1": torch.zeros(3)}), "of other shapes, the first weights.1"),
    ):
        weights = lpips_weights()
        change(weights)
        save_file(weights, text)
        with pytest.raises(ModelError, match=line):
            Lpips.load(text)


class Runs:
    """What a pickle may do when it is opened."""

    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_the_converter_runs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Runs()}, "evil.pt")
    torch.save([torch.zeros(1)], "list.pt")
    assert convert.main(["facenet", "evil.pt", "out.safetensors"]) == ModelError.exit_code
    assert convert.main(["facenet", "list.pt", "out.safetensors"]) == ModelError.exit_code
    assert convert.main(["facenet", "none.pt", "out.safetensors"]) == ModelError.exit_code
    assert not Path("ran").exists()
    assert not Path("out.safetensors").exists()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)


def test_why_there_is_no_picture_is_said():
    whole = case(None, detailed())
    lost = Case(whole.pair, None, whole.condition, whole.plan, "the sampler failed")
    assert ConditionPsnr()(lost).missing == "no picture: the sampler failed"
