"""The pictures in a folder of results: what was made is saved there, what is there is listed.

Files may come from anybody: only regular PNGs with a valid recipe are listed. Recipes are read when
a folder is listed, pixels when they are shown.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from sow.errors import OutputError, PictureError, SowError
from sow.pictures.loading import display_name, open_image
from sow.pictures.recipe import MAX_BYTES, NoRecipe, Recipe, peek_recipe
from sow.service.names import default_name
from sow.service.saved_picture import SavedPicture
from sow.utils.files import make_folder, remove_stale

if TYPE_CHECKING:
    from sow.service.results import GenerationSpec, Picture

LOG = logging.getLogger(__name__)
MAX_FILES = 5000
"""Files of a folder that are looked at, the newest first."""
MAX_UNSAVED = 60
"""Pictures that are kept in memory because they could not be saved."""
MAX_EXPLAINED = 16
"""Pictures whose explanation is kept."""
THUMB_SIDE = 320
"""The longer side of a picture in the grid."""


@dataclass(eq=False)
class Entry:
    """A picture of a folder.

    Attributes:
        name: its file's.
        made: when, in nanoseconds of the file system's clock.
        notes: what is wrong with it; None if nobody has looked yet.
        faulty: whether that is a fault, such as a lost face.
        thumb: a small copy, once it was shown.
        unsaved: the picture, if it could not be saved.
    """

    name: str
    recipe: Recipe
    made: int
    notes: tuple[str, ...] | None = None
    faulty: bool = False
    thumb: Image.Image | None = None
    unsaved: SavedPicture | None = field(default=None, repr=False)

    def holds(self, query: str) -> bool:
        """Return whether all words of a query are in its prompt, seed, notes or name.

        A number is found as a whole, so that 11 does not find seed 110.
        """
        plan = self.recipe.plan
        parts = (
            plan.prompt, plan.negative, f"seed {self.recipe.seed}", self.name, *plan.notes,
            *(self.notes or ()),
        )  # fmt: skip
        text = "\n".join(parts).casefold()
        return all(
            re.search(rf"(?<!\d){word}(?!\d)", text) if word.isdecimal() else word in text
            for word in query.casefold().split()
        )


@dataclass(frozen=True)
class Explanation:
    """What the words and the condition did: `Picture.explained` and `Picture.word_maps`."""

    sheet: Image.Image
    words: tuple[tuple[str, Image.Image], ...]


class Folder:
    """The pictures of one folder; threads may share it.

    Args:
        path: is made when the first picture is saved.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._files: dict[str, tuple[tuple[int, int], Entry | None]] = {}
        self._unsaved: dict[str, Entry] = {}
        self._explained: dict[str, Explanation] = {}
        if path.is_dir():
            remove_stale(path)

    def add(self, picture: Picture, spec: GenerationSpec, source: str) -> Entry:
        """Save a picture as `sow generate` names it; no file is replaced.

        If it cannot be saved, it is kept in memory, and its notes say so.

        source: the name of the user's picture, which may be anything.
        """
        name = default_name(replace(spec, name=clean_name(source)), picture.recipe.seed)
        notes, unsaved = picture.notes, None
        try:
            path = self._save(picture, self.path / name)
            status = path.stat()
            made, stamp = status.st_mtime_ns, (status.st_mtime_ns, status.st_size)
        except (OutputError, OSError) as error:
            LOG.warning("a picture is not saved: %s", error)
            why = error.what if isinstance(error, OutputError) else str(error)
            notes = (*notes, f"this picture is not saved: {why}")
            unsaved = SavedPicture(picture.image, picture.recipe, picture.condition, name[:-4])
            path, made = self.path / name, max((e.made for e in self.entries()), default=0) + 1
        entry = Entry(
            path.name, picture.recipe, made, notes, picture.faults > 0 or unsaved is not None,
            _thumb(picture.image), unsaved,
        )  # fmt: skip
        with self._lock:
            if unsaved is None:
                self._files[path.name] = (stamp, entry)
            else:
                self._unsaved[path.name] = entry
                while len(self._unsaved) > MAX_UNSAVED:
                    del self._unsaved[next(iter(self._unsaved))]
        self.explain(entry, picture)
        return entry

    def _save(self, picture: Picture, path: Path) -> Path:
        make_folder(self.path)
        for number in count(1):
            target = path.with_stem(f"{path.stem}-{number}") if number > 1 else path
            try:
                picture.save(target)
            except OutputError:
                if os.path.lexists(target):  # another picture has this name
                    continue
                raise
            with suppress(OSError):  # if it was there already, it is the newest again
                os.utime(target)
            return target
        raise AssertionError

    def entries(self) -> list[Entry]:
        """Return all pictures, the newest first; new files are read, and only their recipes."""
        with self._lock:
            known = dict(self._files)
        found: list[tuple[str, tuple[int, int]]] = []
        with suppress(OSError), os.scandir(self.path) as files:
            for file in files:
                if not _may_be_listed(file.name):
                    continue
                with suppress(OSError):
                    if file.is_file(follow_symlinks=False):
                        status = file.stat(follow_symlinks=False)
                        found.append((file.name, (status.st_mtime_ns, status.st_size)))
        found.sort(key=lambda one: one[1], reverse=True)
        fresh = {}
        for name, stamp in found[:MAX_FILES]:
            before = known.get(name)
            is_same = before is not None and before[0] == stamp
            fresh[name] = before if before and is_same else (stamp, self._read(name, stamp[0]))
        with self._lock:
            # What was added meanwhile stays.
            self._files = fresh | {n: e for n, e in self._files.items() if n not in known}
            fresh = self._files
            entries = [entry for _, entry in fresh.values() if entry is not None]
            entries += self._unsaved.values()
        return sorted(entries, key=lambda entry: (entry.made, entry.name), reverse=True)

    def _read(self, name: str, made: int) -> Entry | None:
        try:
            return Entry(name, peek_recipe(self.path / name), made)
        except NoRecipe:
            return None
        except PictureError as error:
            LOG.warning("not listed: %s", error.what)
        except Exception:
            LOG.warning("not listed: %r cannot be read", name[-80:])
        return None

    def find(self, name: object) -> Entry | None:
        """Return the picture of a name, which comes from a browser and may be anything."""
        if not isinstance(name, str):
            return None
        with self._lock:
            _, entry = self._files.get(name, (None, None))
            return entry or self._unsaved.get(name)

    def open(self, entry: Entry) -> SavedPicture:
        """Read a picture with its planted pixels, and see whether its face is lost.

        Raises:
            PictureError: if it is gone or damaged.
        """
        saved = entry.unsaved or SavedPicture.read_any(self.path / entry.name)
        if entry.notes is None:
            picture = saved.look_at()
            entry.notes, entry.faulty = picture.notes, picture.faults > 0
        return saved

    def thumb(self, entry: Entry) -> Image.Image:
        """Return a small copy of a picture; grey if it cannot be read."""
        if entry.thumb is None:
            path = self.path / entry.name
            try:
                with open_image(path, display_name(path), ("PNG",), MAX_BYTES) as image:
                    entry.thumb = _thumb(image)
            except SowError as error:
                LOG.warning("not shown: %s", error)
                entry.thumb = Image.new("RGB", (1, 1), (128, 128, 128))
        return entry.thumb

    def explanation(self, entry: Entry) -> Explanation | None:
        """Return the explanation of a picture, if one was made and is still kept."""
        with self._lock:
            return self._explained.get(entry.name)

    def explain(self, entry: Entry, picture: Picture) -> None:
        """Keep the explanation of a picture, if it has one."""
        if picture.explained is None:
            return
        with self._lock:
            self._explained.pop(entry.name, None)
            self._explained[entry.name] = Explanation(picture.explained, picture.word_maps)
            while len(self._explained) > MAX_EXPLAINED:
                del self._explained[next(iter(self._explained))]


class History:
    """The folders of all users; threads may share it.

    Args:
        out: the folder of the results.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._folders: dict[str, Folder] = {}
        self._lock = threading.Lock()

    def folder(self, user: str = "") -> Folder:
        """Return the folder of a user, or the one of all if nobody has to sign in."""
        with self._lock:
            if user not in self._folders:
                path = self.out / folder_name(user) if user else self.out
                self._folders[user] = Folder(path)
            return self._folders[user]


def folder_name(user: str) -> str:
    """Return the name of a user's folder: no two users share one, and none leads elsewhere."""
    return "user-" + re.sub(r"[^a-z0-9-]", lambda odd: f"_{ord(odd[0]):x}_", user)


def clean_name(source: str) -> str:
    """Return what can be in a file's name of the name of a user's picture, without its ending."""
    last = re.split(r"[/\\]", source)[-1]
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", last) or source
    return re.sub(r"[^\w.-]+", "-", stem, flags=re.ASCII).strip(".-_")[:60] or "picture"


def _may_be_listed(name: str) -> bool:
    """Return whether a file's name is that of a PNG, not hidden, and valid text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.lower().endswith(".png") and not name.startswith(".")


def _thumb(image: Image.Image) -> Image.Image:
    small = image.convert("RGB")
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    small.info = {}
    return small
