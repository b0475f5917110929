"""Pictures to start with: drawn heads that ship with the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sow.errors import UsageError
from sow.pictures.inputs import as_picture
from sow.settings.inputs import check_prompt

FOLDER = Path(__file__).parent / "page" / "examples"


@dataclass(frozen=True)
class Example:
    """A picture and a prompt that suits it.

    Attributes:
        name: its file's.
        prompt: what may grow around it, in words that `figures` knows.
        alt: what it shows.
    """

    name: str
    prompt: str
    alt: str

    def read(self) -> bytes:
        """Return its file's bytes."""
        return (FOLDER / self.name).read_bytes()


@dataclass(frozen=True)
class Start:
    """What a page begins with.

    Attributes:
        picture: the bytes of a picture to plant; empty for none.
        name: its file's.
        prompt: what is written already.
    """

    picture: bytes = b""
    name: str = ""
    prompt: str = ""

    @classmethod
    def of(cls, face: Path | None, prompt: str) -> Start:
        """Read what a page shall begin with.

        Raises:
            PictureError: if the picture cannot be read.
            UsageError: if the prompt is none.
        """
        if prompt:
            check_prompt(prompt)
        if face is None:
            return cls(prompt=prompt)
        as_picture(face)  # says what is wrong with it now, and not to everybody who opens the page
        return cls(face.read_bytes(), face.name, prompt)


EXAMPLES = (
    Example(
        "drawn-long-hair.png",
        "a woman in a red dress on a beach",
        "A drawn woman with long brown hair",
    ),
    Example(
        "drawn-beard.png",
        "a man in a red coat in a forest",
        "A drawn man with a black beard",
    ),
    Example(
        "drawn-curls.png",
        "a person in a blue suit in the city",
        "A drawn person with brown curls",
    ),
)


def find_example(name: object) -> Example:
    """Return the example of this name, which comes from a browser and may be anything.

    Raises:
        UsageError: if there is none.
    """
    for example in EXAMPLES:
        if example.name == name:
            return example
    raise UsageError("there is no such example", "choose one that is shown")
