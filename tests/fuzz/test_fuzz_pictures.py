"""Pictures from strangers: they load as plain 8-bit pictures, or one line says why not."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from fuzzing import COUNT, Case, check, randomness
from hostile_pictures import SIZE, carrying, mangled, seeds
from PIL import Image

from sow.errors import SowError
from sow.pictures import loading
from sow.pictures.condition import Condition
from sow.pictures.loading import load_image, load_mask
from sow.plan.plan import Plan
from sow.utils.libraries import ignore_warnings

MOST = 10**6
PLAN = Plan.parse({"canvas": [64, 64], "prompt": "x", "box": [8, 8, 24, 24]})


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """What is refused as too large is refused sooner, so that a thousand pictures take seconds."""
    monkeypatch.setattr(loading, "MAX_PIXELS", MOST)
    monkeypatch.setattr(loading, "MAX_DECODED_BYTES", 4 * MOST)


def plain(image: Image.Image, modes: tuple[str, ...]) -> Image.Image:
    assert type(image) is Image.Image
    assert image.mode in modes
    assert image.info == {}
    assert min(image.size) >= 16
    assert image.width * image.height <= MOST
    return image


def used(path: Path, data: bytes) -> None:
    """As a face, as a mask, and planted; the condition comes back as it was written."""
    path.write_bytes(data)
    image = plain(load_image(path), ("RGB", "RGBA"))
    mask = plain(load_mask(path), ("L",))
    plan = PLAN.changed(box=[0, 0, 8, 8]) if min(image.size) < 24 else PLAN
    condition = Condition.prepare(image, plan)
    again = Condition.from_png(condition.to_png(), condition.picture.size)
    assert again.picture.tobytes() == condition.picture.tobytes()
    assert again.mask.tobytes() == condition.mask.tobytes()
    Condition.prepare(image, plan, mask)


def lazily(path: Path, data: bytes) -> None:
    """Opened by the user's own hand, without any of the checks, and given as a picture."""
    path.write_bytes(data)
    try:
        with ignore_warnings():
            image = Image.open(path)
    except Exception:
        return
    with image, ignore_warnings():
        if image.width * image.height <= MOST:
            plain_enough = loading.upright_rgb(image)
            assert plain_enough.info == {}


def test_honest_pictures_of_all_formats_load(tmp_path):
    """Or the fuzzing below would be of nothing."""
    loaded = set()
    for name, data in seeds().items():
        (tmp_path / "a").write_bytes(data)
        try:
            image = load_image(tmp_path / "a")
        except SowError:
            continue
        loaded.add(name.split()[0])
        assert image.size in (SIZE, SIZE[::-1])
    assert loaded >= {name for name in loading.FORMATS if name in Image.SAVE}


def test_mangled_pictures(tmp_path, capfd):
    dice, made = randomness("pictures"), seeds()
    names = [name for name in made if name.split()[0] in loading.FORMATS]

    def case(number: int) -> Case:
        own = Random(dice.random())
        name = own.choice(names if own.random() < 0.9 else list(made))
        use = used if own.random() < 0.8 else lazily
        return Case(f"{number} {name}", lambda: use(tmp_path / "a", mangled(made[name], own)))

    ends = check(case(number) for number in range(COUNT))
    assert ends["worked"] > COUNT / 20
    assert ends["PictureError"] > COUNT / 10
    assert capfd.readouterr() == ("", "")


def test_pictures_that_carry_nonsense(tmp_path, capfd):
    """Bad EXIF and bad profiles are no reason to refuse a photograph."""
    dice = randomness("carried")

    def case(number: int) -> Case:
        own = Random(dice.random())
        return Case(str(number), lambda: used(tmp_path / "a", carrying(own)))

    ends = check(case(number) for number in range(COUNT))
    assert ends["worked"] > COUNT * 0.9
    assert capfd.readouterr() == ("", "")
