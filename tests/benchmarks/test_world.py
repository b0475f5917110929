"""The drawn world at 256 px: it draws what its captions say, and knows every part."""

import re
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from sow.benchmarks.world.animals import SPECIES, Animal
from sow.benchmarks.world.captions import caption
from sow.benchmarks.world.hats import HATS
from sow.benchmarks.world.mounts import SEATS
from sow.benchmarks.world.people import COLOURS, Garment, Hand, Person, make_identity
from sow.benchmarks.world.places import PLACES, Surroundings
from sow.benchmarks.world.quality import ENCOURAGED, FINE, FINISHES, FLAW_WORDS, NEGATIVE, Quality
from sow.benchmarks.world.scenes import ROLES, Scene, Subject, draw, make, make_person, make_scene
from sow.benchmarks.world.sheet import Sheet, ellipse
from sow.benchmarks.world.styles import STYLES
from sow.benchmarks.world.textures import texture
from sow.benchmarks.world.things import HELD, STANDING


def scene_with(person: Person, **more: object) -> Scene:
    """Return a plain scene of one person."""
    where = Surroundings("studio")
    return Scene(256, 256, where, -1, 1, (Subject(person),), **more)  # type: ignore[arg-type]


def somebody(**more: object) -> Person:
    """Return the same person each time, otherwise dressed."""
    identity = make_identity(Random(3), age="adult", woman=False)
    plain = Person(identity, 128, 100, 44, Garment("coat", "blue"))
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_seed_draws_the_same_picture_and_parts_again():
    first, again, other = make(5), make(5), make(6)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.part_map, again.part_map)
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(
        first.pixels, other.pixels
    )


@pytest.mark.parametrize("hat", HATS)
def test_a_hat_changes_the_head_and_nothing_else(hat):
    bare, covered = draw(scene_with(somebody())), draw(scene_with(somebody(hat=hat)))
    mask = covered.mask("person:hat")
    assert mask.sum() > 150
    changed = (bare.pixels.astype(int) != covered.pixels).any(-1)
    assert changed[mask].mean() > 0.9
    # Its shadow may fall on the head; the rest of the picture stays as it was.
    y, x = np.nonzero(changed)
    assert np.abs(x - 128).max() < 2.3 * 44
    assert y.max() < 100 + 1.9 * 44


@pytest.mark.parametrize("thing", HELD)
def test_what_is_held_is_seen(thing):
    hand = Hand(1.4, 2.6, thing, "red")
    person = somebody(y=120, right=hand, left=Hand(-0.85, 2.6) if HELD[thing].front else None)
    drawing = draw(scene_with(person))
    assert drawing.mask(f"thing:{thing}").sum() > 100
    assert drawing.mask("person:hand").any()


@pytest.mark.parametrize("seat", SEATS)
def test_what_is_sat_on_is_seen(seat):
    drawing = draw(scene_with(somebody(y=60, size=20, seat=seat, seat_colour=_coat(seat))))
    assert drawing.mask(f"thing:{seat}", f"{seat}:face", f"{seat}:body").sum() > 300


def _coat(seat: str) -> str:
    return next(iter(SPECIES[seat].coats)) if seat in SPECIES else "red"


def test_the_face_has_the_colour_of_the_skin_and_the_coat_that_of_the_cloth():
    person = somebody()
    drawing = draw(scene_with(person))
    for part, colour in (
        ("person:face", person.identity.skin_colour),
        ("person:clothes", COLOURS["blue"]),
    ):
        middle = np.median(drawing.pixels[drawing.mask(part)], axis=0)
        assert np.abs(middle - colour).max() < 40, part


def test_places_animals_and_things_all_look_different():
    pictures = {}
    for place in PLACES:
        pictures[place] = draw(Scene(96, 96, Surroundings(place), -1, 1)).pixels
    for species, about in SPECIES.items():
        sheet = Sheet(96, 96)
        with sheet.at(48, 34, 16):
            Animal(sheet, species, next(iter(about.coats.values())), Random(1)).draw()
        pictures[species] = sheet.pixels()
        assert sheet.mask("animal:face").sum() > 300
    for thing, about_thing in STANDING.items():
        sheet = Sheet(96, 96)
        with sheet.at(48, 90, 16), sheet.named("thing"):
            about_thing.draw(sheet, COLOURS["red"], Random(1))
        pictures[thing] = sheet.pixels()
        assert sheet.mask("thing").sum() > 200
    names = list(pictures)
    for n, name in enumerate(names):
        for other in names[n + 1 :]:
            difference = np.abs(pictures[name].astype(int) - pictures[other]).mean()
            assert difference > 1, (name, other)


def test_a_style_changes_the_whole_picture_and_keeps_its_parts():
    plain = draw(scene_with(somebody()))
    for style in STYLES:
        styled = draw(scene_with(somebody(), style=style))
        assert np.array_equal(styled.part_map, plain.part_map)
        changed = (styled.pixels != plain.pixels).any(-1).mean()
        assert changed > (0.3 if style == "pixel art" else 0.7), style


def test_light_comes_from_the_side_that_the_scene_says():
    dark = []
    for lit_from in (-1, 1):
        scene = replace(scene_with(somebody()), lit_from=lit_from)
        drawing = draw(scene)
        face = drawing.mask("person:clothes")
        gray = drawing.pixels.mean(-1)
        left, right = face.copy(), face.copy()
        left[:, 128:], right[:, :128] = False, False
        dark.append(gray[left].mean() - gray[right].mean())
    assert dark[0] > 4
    assert dark[1] < -4


def test_captions_say_at_least_four_hundred_words_and_name_what_is_there():
    words: Counter[str] = Counter()
    for seed in range(6000):
        words.update(re.findall(r"[a-z'-]+", caption(make_scene(seed))))
    assert len(words) >= 400
    for seed in range(300):
        scene = replace(make_scene(seed), quality=FINE)
        said = caption(scene, 7)
        assert not re.search(r"\b(a|an) (a|an)\b|  |\ba [aeio]", said), said
        if scene.animals and not scene.people:
            assert scene.animals[0].species in said
        for species in SPECIES:
            if re.search(rf"\b{species}\b", said):
                there = [beast.species for beast in scene.animals]
                for person in (subject.person for subject in scene.people):
                    hands = [hand for hand in (person.left, person.right) if hand]
                    there += [person.seat or "", person.hat or ""]
                    there += [hand.thing or "" for hand in hands]
                assert species in " ".join(there)


def test_roles_are_dressed_as_such_and_sexed_as_their_words_are():
    for role, costume in ROLES.items():
        subject = make_person(Random(role), 128, 90, 40, role=role)
        assert subject.person.garment.type == costume.garment
        assert subject.person.hat == costume.hat
    kings = [
        s
        for seed in range(3000)
        for s in make_scene(seed).people
        if s.role in ("king", "queen", "princess", "monk", "witch", "fairy")
    ]
    assert kings
    assert all(s.person.identity.woman == (s.role not in ("king", "monk")) for s in kings)


def test_a_part_is_what_was_drawn_last():
    sheet = Sheet(20, 20)
    with sheet.named("below"):
        sheet.fill(ellipse(10, 10, 8), (200, 0, 0))
    with sheet.named("above"):
        sheet.fill(ellipse(10, 10, 3), (0, 200, 0))
    assert sheet.mask("above")[10, 10]
    assert not sheet.mask("below")[10, 10]
    assert sheet.mask("below")[10, 4]
    assert sheet.mask("paper")[0, 0]


def test_textures_have_the_spectrum_of_natural_pictures():
    crops = np.stack([texture(np.random.default_rng(seed), 64) for seed in range(24)])
    gray = crops.mean(-1) - crops.mean((1, 2, 3))[:, None, None]
    power = (np.abs(np.fft.fft2(gray)) ** 2).mean(0)
    frequency = np.fft.fftfreq(64) * 64
    radius = np.hypot(frequency[:, None], frequency[None])
    rings = np.arange(2, 24)
    profile = [power[(radius >= r - 0.5) & (radius < r + 0.5)].mean() for r in rings]
    slope = np.polyfit(np.log(rings), np.log(profile), 1)[0]
    assert -3.4 < slope < -1.4  # of photographs about -2


def test_every_eighth_picture_is_bad_and_every_caption_of_it_says_so():
    scenes = [make_scene(seed) for seed in range(3000)]
    bad = [scene for scene in scenes if scene.quality.flaws]
    assert 0.09 < len(bad) / len(scenes) < 0.15
    said: Counter[str] = Counter()
    for scene in bad:
        for seed in range(4):
            text = caption(scene, seed)
            known = [word for flaw in scene.quality.flaws for word in FLAW_WORDS[flaw]]
            assert any(w in text for w in (*known, "bad quality", "faded", "washed-out")), text
            said[NEGATIVE] += NEGATIVE in text
    assert said[NEGATIVE] > 100
    for scene in scenes:
        for seed in range(2):
            text = caption(scene, seed)
            if not scene.quality.flaws:
                assert not any(w in text for w in ("quality and low", "blur", "finger", "noisy"))
            if ENCOURAGED in text:
                assert scene.quality.finish == "vivid"
                said[ENCOURAGED] += 1
    assert said[ENCOURAGED] > 100


@pytest.mark.parametrize("finish", FINISHES)
def test_a_finish_does_what_it_says_and_keeps_the_parts(finish):
    plain = draw(scene_with(somebody()))
    changed = draw(scene_with(somebody(), quality=Quality(finish)))
    assert np.array_equal(changed.part_map, plain.part_map)
    before, after = plain.pixels.astype(float), changed.pixels.astype(float)

    def fine(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture, 2, axis=1)).mean())

    def colour(picture: np.ndarray) -> float:
        return float(np.ptp(picture, axis=-1).mean())

    assert np.abs(after - before).mean() > 3
    if finish in ("blurred", "low resolution"):
        assert fine(after) < 0.6 * fine(before)
    elif finish == "noisy":
        assert fine(after) > 2 * fine(before)
    elif finish == "dull":
        assert colour(after) < 0.5 * colour(before)
    elif finish == "vivid":
        assert colour(after) > 1.2 * colour(before)


def test_hands_drawn_badly_differ_only_around_the_hand():
    drawn = {
        kind: draw(scene_with(somebody(right=Hand(2.0, 0.4, drawn=kind), size=38)))
        for kind in ("fine", "extra fingers", "deformed hands")
    }
    fine = drawn.pop("fine")
    for bad in drawn.values():
        hand = bad.mask("person:hand") | fine.mask("person:hand")
        assert hand.sum() > 250
        changed = (bad.pixels != fine.pixels).any(-1)
        assert changed.sum() > 80
        y, x = np.nonzero(hand)
        there = np.zeros_like(hand)
        there[max(y.min() - 4, 0) : y.max() + 5, max(x.min() - 4, 0) : x.max() + 5] = True
        assert not changed[~there].any()


def test_bad_hands_are_in_the_picture():
    scenes = [s for s in (make_scene(seed) for seed in range(1500)) if s.quality.hands]
    assert len(scenes) > 20
    for scene in scenes:
        assert draw(scene).mask("person:hand").sum() > 60


def test_whoever_sits_or_rides_shows_a_hand():
    shown: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for seed in range(2000):
        scene = make_scene(seed)
        for subject in scene.people:
            if subject.person.seat and drawn[subject.person.seat] < 6:
                drawn[subject.person.seat] += 1
                shown[subject.person.seat] += draw(scene).mask("person:hand").sum() > 30
    assert set(drawn) == set(SEATS)
    # An animal or a thing in front may hide both hands, but seldom.
    assert all(shown[seat] >= drawn[seat] - 1 for seat in SEATS), shown


def test_a_head_that_fills_the_picture_is_called_a_human_face():
    scenes = [s for s in (make_scene(seed) for seed in range(2000)) if s.close_up]
    assert 0.03 < len(scenes) / 2000 < 0.1
    texts = [caption(scene, seed) for scene in scenes for seed in range(4)]
    words = ("human face", "a face", "close-up", "the face of", "portrait", "closeup")
    assert sum(any(w in text for w in words) for text in texts) / len(texts) > 0.6
    face = draw(replace(scenes[0], style=None)).mask("person:face")
    assert face.mean() > 0.15
