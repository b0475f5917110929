"""What a picture shows and where: the random choices before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sow.benchmarks.figures.world.paper import SIZE
from sow.benchmarks.figures.world.people import (
    CLOTHES,
    EXPRESSIONS,
    Arm,
    Identity,
    Person,
    Pose,
    head_box,
    make_identity,
)
from sow.benchmarks.figures.world.scenes import SCENES
from sow.benchmarks.figures.world.things import COLOURS, HELD, KINDS, Thing, colours_of

PERSON_RELATIONS = ("left of", "right of", "above", "below", "holding", "wearing", "near")
THING_RELATIONS = ("left of", "right of", "above", "below", "on", "near")
UNDER = ("box", "car", "house")
"""What something can stand on."""
UPON = ("ball", "box", "cat", "dog", "hat")
"""What can stand on something."""


@dataclass(frozen=True)
class Spec:
    """Everything that decides a picture but the scenery's details.

    relation: with a person, of things[0] to the person ("left of": it stands left of them), but
    "holding" and "wearing" of the person to it; without one, of things[0] to things[1].
    """

    scene: str
    style: str
    person: Person | None
    things: tuple[Thing, ...] = ()
    relation: str | None = None

    @property
    def edges(self) -> tuple[tuple[str, str, str], ...]:
        """The relation as (subject, relation, object)."""
        if self.relation is None:
            return ()
        if self.person is None:
            return (("thing0", self.relation, "thing1"),)
        if self.relation in ("holding", "wearing"):
            return (("person", self.relation, "thing0"),)
        return (("thing0", self.relation, "person"),)


def sample(random: Random, **wishes: object) -> Spec:
    """Return a random spec that fulfils the wishes.

    wishes: scene, style, identity, expression, clothing, clothing_colour, relation, width (of
    the face), and things=() for a person alone.
    """
    style = random.choices(("none", "sketch", "oil", "watercolor"), (0.79, 0.07, 0.07, 0.07))[0]
    scene = str(wishes.get("scene") or random.choice(SCENES))
    style = str(wishes.get("style") or style)
    anybody = {"identity", "clothing", "expression", "width", "things", "relation"} & wishes.keys()
    kind = random.random()
    if anybody or kind < 0.74:
        person, things, relation = _with_person(random, dict(wishes))
        return Spec(scene, style, person, things, relation)
    if kind < 0.77:
        return Spec(scene, style, None)
    things, relation = _things_alone(random) if kind < 0.86 else _two_things(random)
    return Spec(scene, style, None, things, relation)


def _thing(random: Random, kind: str, x: float, y: float, size: float) -> Thing:
    return Thing(kind, random.choice(colours_of(kind)), x, y, size)


def _things_alone(random: Random) -> tuple[tuple[Thing, ...], None]:
    x, y = random.uniform(34, 94), random.uniform(62, 90)
    return (_thing(random, random.choice(KINDS), x, y, random.uniform(40, 60)),), None


def _two_things(random: Random) -> tuple[tuple[Thing, ...], str]:
    relation = random.choice(THING_RELATIONS)
    one, other = random.sample(KINDS, 2)
    size, other_size = random.uniform(32, 44), random.uniform(32, 44)
    middle = random.uniform(56, 72)
    if relation == "on":
        one, other = random.choice(UPON), random.choice(UNDER)
        if one == other:
            one = "ball"
        size, other_size = random.uniform(30, 40), random.uniform(44, 54)
        below = random.uniform(88, 98)
        # Half of each, less what the lower one's shape leaves free above its centre.
        top = {"box": 0.375, "car": 0.33, "house": 0.5}[other]
        place = (middle + random.uniform(-5, 5), below - other_size * top - size * 0.47)
        other_place = (middle, below)
    elif relation in ("above", "below"):
        up, down = random.uniform(26, 36), random.uniform(86, 100)
        ys = (up, down) if relation == "above" else (down, up)
        place = (middle + random.uniform(-10, 10), ys[0])
        other_place = (middle + random.uniform(-10, 10), ys[1])
    else:
        apart, y = random.uniform(28, 34), random.uniform(70, 98)
        side = -1 if relation == "left of" else 1
        if relation == "near":
            side, apart = random.choice((-1, 1)), random.uniform(23, 27)
        place = (middle + side * apart, y + random.uniform(-5, 5))
        other_place = (middle - side * apart, y + random.uniform(-5, 5))
    first = _thing(random, one, *place, size)
    return (first, _thing(random, other, *other_place, other_size)), relation


def _with_person(
    random: Random, wishes: dict[str, object]
) -> tuple[Person, tuple[Thing, ...], str | None]:
    identity = wishes.get("identity") or make_identity(random)
    assert isinstance(identity, Identity)
    relation = wishes.get("relation")
    if relation is None and "things" not in wishes and random.random() < 0.6:
        relation = random.choice(PERSON_RELATIONS)
    clothes = [c for c in CLOTHES if identity.woman or c != "dress"]
    clothing = str(wishes.get("clothing") or random.choice(clothes))
    colour = str(wishes.get("clothing_colour") or random.choice(tuple(COLOURS)))
    expression = str(wishes.get("expression") or random.choices(EXPRESSIONS, (0.36, 0.4, 0.24))[0])
    width = float(str(wishes.get("width") or random.uniform(37, 58)))
    free = _pose(random, identity, width, expression)
    if relation is None:
        return Person(identity, free, clothing, colour), (), None
    pose, thing, arm = PLACE[str(relation)](random, free, identity)
    return Person(identity, pose, clothing, colour, arm), (thing,), str(relation)


def _pose(
    random: Random,
    identity: Identity,
    width: float,
    expression: str,
    x: tuple[float, float] | None = None,
    top: tuple[float, float] = (3, 32),
) -> Pose:
    """Return a random pose: the centre within `x`, the top of the hair within `top`."""
    turn = random.uniform(-0.16, 0.16)
    at_origin = head_box(identity, Pose(0, 0, width, turn, expression))
    across = x or (at_origin[2] + 1, SIZE - at_origin[2] - 1)
    y = random.uniform(*top) - at_origin[1]
    return Pose(random.uniform(*across), y, width, turn, expression)


Placed = tuple[Pose, Thing, Arm | None]


def _beside(random: Random, free: Pose, identity: Identity, side: int) -> Placed:
    width = min(free.width, 50)
    x = (84.0, 98.0) if side < 0 else (30.0, 44.0)
    pose = _pose(random, identity, width, free.expression, x, (3, 22))
    far = random.uniform(17, 26)
    kind = random.choice([kind for kind in KINDS if kind != "hat"])
    thing = _thing(
        random,
        kind,
        far if side < 0 else SIZE - far,
        random.uniform(66, 106),
        random.uniform(33, 42),
    )
    return pose, thing, None


def _left(random: Random, free: Pose, identity: Identity) -> Placed:
    return _beside(random, free, identity, -1)


def _right(random: Random, free: Pose, identity: Identity) -> Placed:
    return _beside(random, free, identity, 1)


def _near(random: Random, free: Pose, identity: Identity) -> Placed:
    return _beside(random, free, identity, random.choice((-1, 1)))


def _above(random: Random, free: Pose, identity: Identity) -> Placed:
    pose = _pose(random, identity, min(free.width, 46), free.expression, (34, 94), (35, 40))
    size = random.uniform(27, 31)
    kind = random.choice(KINDS)
    return pose, _thing(random, kind, pose.x + random.uniform(-8, 8), 17.5, size), None


def _below(random: Random, free: Pose, identity: Identity) -> Placed:
    pose = _pose(random, identity, min(free.width, 52), free.expression, (34, 94), (2, 7))
    x, y = pose.x + random.uniform(-6, 6), random.uniform(104, 110)
    return pose, _thing(random, random.choice(KINDS), x, y, random.uniform(29, 36)), None


def _wearing(random: Random, free: Pose, identity: Identity) -> Placed:
    size = free.width * 0.96
    tall = free.width / 2 * identity.aspect
    top = random.uniform(2, 16)
    y = top + size * 0.3  # the hat's centre: its crown begins 0.3 of its size above
    pose = Pose(free.x, y + size * 0.3 + tall * 0.5, free.width, free.turn, free.expression)
    return pose, _thing(random, "hat", pose.x, y, size), None


def _holding(random: Random, free: Pose, identity: Identity) -> Placed:
    side = random.choice((-1, 1))
    middle = 64 - side * random.uniform(10, 24)
    pose = _pose(random, identity, min(free.width, 50), free.expression, (middle, middle), (3, 20))
    hand = (pose.x + side * (pose.width * 0.8 + random.uniform(4, 9)), random.uniform(94, 106))
    kind = random.choice(HELD)
    if kind == "balloon":
        place, size = (hand[0] + side * 2, hand[1] - 28), 34.0
    elif kind == "umbrella":
        place, size = (hand[0], hand[1] - 18), 44.0
    else:
        place, size = (hand[0], hand[1] - 12), 28.0
    x = min(max(place[0], 16), SIZE - 16)
    return (
        pose,
        _thing(random, kind, x, place[1], size),
        Arm(side, (min(max(hand[0], 8), 120), hand[1])),
    )


PLACE = {
    "left of": _left,
    "right of": _right,
    "above": _above,
    "below": _below,
    "holding": _holding,
    "wearing": _wearing,
    "near": _near,
}
