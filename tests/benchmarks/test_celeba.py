"""CelebAMask-HQ's layout, made of drawn people: what is read by name, and what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sow.benchmarks.figures.world.drawing import TESTING, identity_of, portrait
from sow.benchmarks.figures.world.paper import FACE as DRAWN_FACE
from sow.benchmarks.figures.world.paper import HAIR, NECK
from sow.benchmarks.tv2i.celeba.dataset import FACE, HEAD, celeba_pairs, chosen
from sow.benchmarks.tv2i.celeba.folder import ANNOTATIONS, PARTS, CelebA
from sow.errors import PictureError, UsageError
from sow.service.service import Service

FIRST = TESTING + 14_000_000
COUNT = 6
DRAWN = {"skin": (DRAWN_FACE,), "hair": (HAIR,), "neck": (NECK,)}


@pytest.fixture(scope="module")
def celeba(tmp_path_factory):
    """The pictures of the first pairs of every setting; no parts but skin, hair and neck."""
    root = tmp_path_factory.mktemp("data") / "CelebAMask-HQ"
    (root / "CelebA-HQ-img").mkdir(parents=True)
    for nth, number in enumerate(numbers()):
        drawing = portrait(identity_of(FIRST + nth), FIRST + nth, scene="plain")
        large = drawing.image.resize((1024, 1024), Image.Resampling.BICUBIC)
        large.save(root / "CelebA-HQ-img" / f"{number}.jpg", quality=92)
        for part, shown in DRAWN.items():
            if drawing.mask(*shown).any():
                save_part(root / ANNOTATIONS[0], number, part, drawing.mask(*shown))
    return root


def numbers() -> list[int]:
    """Of the portraits that `limit=COUNT` wants."""
    first = [one for one in chosen() if one.split == "val"]
    return [
        one.picture
        for setting in ("normal", "attribute", "style")
        for one in [o for o in first if o.id.startswith(setting)][: COUNT // 3]
    ]


def save_part(annotations: Path, number: int, part: str, mask: np.ndarray) -> None:
    """As the data set has them: 512 x 512, RGB, black and white, only where there is something."""
    file = annotations / str(number // 2000) / f"{number:05d}_{part}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask).convert("L").resize((512, 512), Image.Resampling.NEAREST)
    image.convert("RGB").save(file)


@pytest.fixture
def copy(celeba, tmp_path):
    """One that may be spoilt."""
    return Path(shutil.copytree(celeba, tmp_path / "CelebAMask-HQ"))


def test_pairs_are_portraits_and_masks_of_the_face(celeba, tmp_path):
    listed = celeba_pairs(celeba, tmp_path, "val", COUNT)
    assert listed.notes == ()
    assert [pair.person for pair in listed.pairs] == numbers()
    for pair in listed.pairs:
        assert pair.image == celeba / "CelebA-HQ-img" / f"{pair.person}.jpg"
        mask = Image.open(pair.mask)
        assert (mask.mode, mask.size, pair.mask.parent) == ("L", (512, 512), tmp_path / "masks")
        skin = Image.open(CelebA.open(celeba).part(int(pair.person), "skin")).convert("L")
        assert np.array_equal(np.asarray(mask), np.asarray(skin))
        job = pair.job()
        assert (job.id, job.setting, job.subject) == (pair.id, pair.setting, "face")


def test_a_head_has_its_hair_and_a_face_has_not(celeba, tmp_path):
    face, head = (
        celeba_pairs(celeba, tmp_path, "val", 1, parts).pairs[0] for parts in (FACE, HEAD)
    )
    assert face.mask != head.mask
    kept, more = (np.asarray(Image.open(pair.mask)) > 0 for pair in (face, head))
    assert (kept <= more).all()
    assert more.sum() > kept.sum()
    folder = CelebA.open(celeba)
    hair = np.asarray(folder.mask(int(face.person), ["hair"])) > 0
    assert np.array_equal(more, kept | hair)


def test_a_plan_takes_the_face_and_greys_the_rest(celeba, tmp_path):
    """The crop is the mask's extent; what the mask leaves out is not planted."""
    pair = celeba_pairs(celeba, tmp_path, "val", 1).pairs[0]
    work = Service("figures", device="cpu", dtype="float32").resolve(pair.job().request())
    assert work.plan.subject == "face"
    assert work.plan.matte is None
    extent = Image.open(pair.mask).getbbox()
    assert [2 * side for side in extent] == pytest.approx(list(work.plan.crop.corners), abs=4)
    kept = np.asarray(work.condition.mask)
    assert (np.asarray(work.condition.picture)[kept == 0] == 128).all()
    longest = max(work.plan.box.width, work.plan.box.height)
    assert 180 / 512 <= longest / min(work.plan.canvas) <= 256 / 512


def test_absent_parts_are_no_parts(celeba):
    folder, number = CelebA.open(celeba), numbers()[0]
    assert folder.mask(number, ["hat", "eye_g", "ear_r"]) is None
    only = folder.mask(number, ["skin"])
    assert folder.mask(number, ["skin", "hat"]).tobytes() == only.tobytes()
    with pytest.raises(ValueError, match="'ear' is none of"):
        folder.part(number, "ear")


def test_files_are_found_by_number_as_the_data_set_names_them(celeba):
    folder = CelebA.open(celeba)
    assert folder.part(4_321, "l_brow") == folder.annotations / "2" / "04321_l_brow.png"
    assert folder.part(29_999, "neck_l").parts[-2:] == ("14", "29999_neck_l.png")
    assert folder.image(7).name == "7.jpg"
    assert len(set(PARTS)) == 18


def test_both_spellings_are_read(copy, tmp_path):
    (copy / ANNOTATIONS[0]).rename(copy / ANNOTATIONS[1])
    assert len(celeba_pairs(copy, tmp_path / "work", "val", COUNT).pairs) == COUNT


def test_a_folder_that_is_none_says_so(celeba, copy, tmp_path):
    for root, line in (
        (tmp_path / "nowhere", "no folder"),
        (tmp_path, "has no folder CelebA-HQ-img; give .*CelebAMask-HQ"),
        (celeba / ANNOTATIONS[0], "has no folder CelebA-HQ-img; unpack"),
    ):
        with pytest.raises(UsageError, match=line):
            celeba_pairs(root, tmp_path / "work", "val", COUNT)
    shutil.rmtree(copy / ANNOTATIONS[0])
    with pytest.raises(UsageError, match="has no folder CelebAMask-HQ-mask-anno; the masks are"):
        celeba_pairs(copy, tmp_path / "work", "val", COUNT)


def test_what_is_missing_is_counted_and_the_first_named(copy, tmp_path):
    lost = numbers()[2:4]
    for number in lost:
        (copy / "CelebA-HQ-img" / f"{number}.jpg").unlink()
    line = f"2 of 6 portraits are missing in .*, the first CelebA-HQ-img/{lost[0]}.jpg"
    with pytest.raises(UsageError, match=line):
        celeba_pairs(copy, tmp_path / "work", "val", COUNT)


def test_a_missing_folder_of_parts_is_named(copy, tmp_path):
    number = numbers()[1]
    shutil.rmtree(copy / ANNOTATIONS[0] / str(number // 2000))
    line = f"of 6 portraits' masks are missing .*there is no folder .*anno/{number // 2000}; unpack"
    with pytest.raises(UsageError, match=line):
        celeba_pairs(copy, tmp_path / "work", "val", COUNT)


def test_pairs_without_a_face_are_left_out_and_noted(copy, tmp_path):
    number = numbers()[0]
    CelebA.open(copy).part(number, "skin").unlink()
    CelebA.open(copy).part(numbers()[1], "skin").write_bytes(b"no picture")
    listed = celeba_pairs(copy, tmp_path / "work", "val", COUNT)
    assert len(listed.pairs) == COUNT - 2
    assert f"2 of 6 portraits have no usable mask, the first {number} (" in listed.notes[0]


def test_parts_of_different_sizes_are_refused(copy):
    number = numbers()[0]
    Image.new("L", (256, 256), 255).save(CelebA.open(copy).part(number, "nose"))
    with pytest.raises(PictureError, match="256x256, other parts of the picture 512x512"):
        CelebA.open(copy).mask(number, FACE)


def test_lists_are_read_where_they_are(copy, tmp_path):
    folder, (one, other) = CelebA.open(copy), numbers()[:2]
    assert (folder.originals(), folder.attributes()) == ({}, {})
    (copy / "CelebAMask-HQ-attribute-anno.txt").write_text(
        f"2\nEyeglasses Smiling Young\n{one}.jpg  1 -1 1\n{other}.jpg -1 -1 -1\n"
    )
    assert folder.attributes() == {one: frozenset({"Eyeglasses", "Young"}), other: frozenset()}
    (copy / "CelebA-HQ-to-CelebA-mapping.txt").write_text(
        f"idx\torig_idx\torig_file\n{one} 119613 119614.jpg\n{other} 99094 099095.jpg\n"
    )
    assert folder.originals() == {one: "119614.jpg", other: "099095.jpg"}
    people = tmp_path / "identity_CelebA.txt"
    people.write_text("119614.jpg 7\n000001.jpg 2880\n099095.jpg 7\n")
    (both,) = folder.same_people(people)
    assert set(both) == {folder.image(one), folder.image(other)}
    with pytest.raises(UsageError, match=r"no nobody\.txt"):
        folder.same_people(tmp_path / "nobody.txt")


@pytest.mark.parametrize("text", ["2\nEyeglasses\n1.jpg 1 1\n", "1\nEyeglasses\n1.jpg yes\n"])
def test_a_list_that_is_none_says_so(copy, text):
    (copy / "CelebAMask-HQ-attribute-anno.txt").write_text(text)
    with pytest.raises(UsageError, match="does not have the format"):
        CelebA.open(copy).attributes()
