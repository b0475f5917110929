"""The folder of results: what is saved, listed, searched; what strangers put there."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import ATTACKS
from PIL import Image

import sow
from sow.errors import OutputError, PictureError, UsageError
from sow.pictures.recipe import read_recipe, save_png
from sow.service.names import default_name, source_of
from sow.service.request import Request
from sow.service.service import Service
from sow.studio import history
from sow.studio.history import Folder, History, clean_name, folder_name
from sow.studio.studio import Studio, Wish

FACE = Path(__file__).parents[2] / "examples" / "drawn-beard.png"


@pytest.fixture(scope="module")
def service():
    return Service("figures", device="cpu", planner=sow.PlannerChoice("offline"))


@pytest.fixture(scope="module")
def made(service):
    """A picture and its spec."""
    spec = service.resolve(Request(FACE, "a man in a red coat", settings={"cycles": 1}))
    return next(iter(service.make(spec, [7]))), spec


def with_prompt(picture, prompt, seed=7):
    plan = picture.recipe.plan.changed(prompt=prompt)
    return replace(picture, recipe=picture.recipe.model_copy(update={"plan": plan, "seed": seed}))


def made_at(path, second):
    os.utime(path, (second, second))


def test_pictures_are_saved_as_generate_names_them_and_never_replaced(made, tmp_path):
    picture, spec = made
    folder = Folder(tmp_path / "out")
    name = "drawn-beard-a-man-in-a-red-coat-7.png"
    assert folder.add(picture, spec, "drawn-beard.png").name == name
    assert read_recipe(tmp_path / "out" / name)[0] == picture.recipe
    assert folder.add(picture, spec, "drawn-beard.png").name == name  # it is the same picture
    other = replace(picture, image=Image.new("RGB", picture.image.size))
    assert folder.add(other, spec, "drawn-beard.png").name == name.replace("7.png", "7-2.png")
    assert len(folder.entries()) == len(list((tmp_path / "out").iterdir())) == 2
    assert folder.open(folder.entries()[0]).image.tobytes() == other.image.tobytes()


@pytest.mark.parametrize("source", [*ATTACKS, "../../etc/passwd", "con.png", "a" * 300, "", ".png"])
def test_the_name_of_a_users_picture_leads_nowhere(made, tmp_path, source):
    picture, spec = made
    folder = Folder(tmp_path)
    entry = folder.add(picture, spec, source)
    assert [file.name for file in tmp_path.iterdir()] == [entry.name]
    assert entry.name.isascii()
    assert not set(entry.name) & set("<>:\"/\\|?* '")


def test_a_restart_lists_the_newest_first_and_looks_for_the_face_when_it_is_opened(made, tmp_path):
    picture, spec = made
    for second, prompt in enumerate(("a man", "a man in the snow", "a woman")):
        entry = Folder(tmp_path).add(with_prompt(picture, prompt), spec, prompt)
        made_at(tmp_path / entry.name, second)
    lost = with_prompt(replace(picture, image=Image.new("RGB", picture.image.size)), "nobody")
    save_png(lost.image, tmp_path / "lost.png", lost.recipe, lost.condition)
    folder = Folder(tmp_path)
    entries = folder.entries()
    prompts = [entry.recipe.plan.prompt for entry in entries]
    assert prompts == ["nobody", "a woman", "a man in the snow", "a man"]
    assert [entry.notes for entry in entries] == [None] * 4
    folder.open(entries[0])
    assert entries[0].faulty
    assert any("face was not found" in note for note in entries[0].notes)
    assert entries[0].holds("FACE found") and not entries[1].holds("found")  # noqa: PT018
    assert max(folder.thumb(entries[1]).size) <= history.THUMB_SIDE
    (tmp_path / "lost.png").unlink()
    assert len(folder.entries()) == 3
    with pytest.raises(PictureError):
        folder.open(entries[0])


@pytest.mark.parametrize(
    ("query", "found"),
    [("", 2), ("SNOW", 1), ("man snow", 1), ("snow woman", 0), ("seed 12", 1), ("12", 1), ("1", 0),
     ("  ", 2), ("glasses", 1), ("*", 0), ("<img", 0)],
)  # fmt: skip
def test_words_seeds_and_notes_are_found(made, tmp_path, query, found):
    picture, spec = made
    folder = Folder(tmp_path)
    folder.add(with_prompt(picture, "a man in the snow", seed=12), spec, "a.png")
    plan = picture.recipe.plan.changed(negative="glasses")
    recipe = picture.recipe.model_copy(update={"plan": plan})
    folder.add(replace(picture, recipe=recipe), spec, "b.png")
    assert len([entry for entry in folder.entries() if entry.holds(query)]) == found


def test_strangers_files_give_a_line_in_the_log_and_nothing_else(made, tmp_path, caplog):
    picture, _ = made
    save_png(picture.image, tmp_path / "good.png", picture.recipe, picture.condition)
    data = (tmp_path / "good.png").read_bytes()
    (tmp_path / "damaged.png").write_bytes(data.replace(b'"seed":7', b'"seed":-'))
    (tmp_path / "cut.png").write_bytes(data[:60])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / ".hidden.png").write_bytes(data)
    (tmp_path / "other.jpg").write_bytes(data)
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb") as file:  # noqa: PTH123  # no text
        file.write(data)
    attack = tmp_path / f"{ATTACKS[1].replace('/', '')}.png"
    attack.write_bytes(data)
    folder = Folder(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert {entry.name for entry in folder.entries()} == {"good.png", attack.name}
        folder.entries()
    said = [record.getMessage() for record in caplog.records]
    assert sorted(line.split("'")[1] for line in said) == [
        "cut.png", "damaged.png", "empty.png", "text.png"
    ]  # fmt: skip
    assert all("\n" not in line for line in said)
    (tmp_path / "good.png").write_bytes(data[: len(data) // 2])  # damaged after it was listed
    [entry] = [one for one in folder.entries() if one.name == "good.png"]
    folder.thumb(entry)
    with pytest.raises(PictureError):
        folder.open(entry)


def test_what_cannot_be_saved_is_kept_and_says_so(made, tmp_path, monkeypatch):
    picture, spec = made

    def full(self, path, **_):
        raise OutputError(f"{path.name!r} cannot be written (no space left)")

    monkeypatch.setattr(type(picture), "save", full)
    folder = Folder(tmp_path)
    entry = folder.add(picture, spec, "a.png")
    assert "this picture is not saved: " in entry.notes[-1]
    assert folder.entries() == [entry]
    assert folder.open(entry).image.tobytes() == picture.image.tobytes()
    assert list(tmp_path.iterdir()) == []


def test_the_names_of_more_pictures_do_not_grow(made):
    picture, spec = made
    for source in ("drawn-beard", "a-man-7"):
        name = default_name(replace(spec, name=source), 7)
        for stem in (name[:-4], f"{name[:-4]}-2"):
            assert source_of(stem, picture.recipe) == source
    assert source_of("holiday", picture.recipe) == "holiday"


def test_users_have_folders_of_their_own(tmp_path):
    users = ["ann", "Ann", "../ann", "a/nn", "..", "a_nn", "ünn", "con"]
    names = [folder_name(user) for user in users]
    assert len({name.lower() for name in names}) == len(users)
    assert all((tmp_path / name).resolve().parent == tmp_path.resolve() for name in names)
    both = History(tmp_path)
    assert both.folder("ann") is both.folder("ann")
    assert both.folder("ann").path != both.folder("bob").path
    assert clean_name("C:\\pictures\\My Face.JPG") == "My-Face"


def test_a_session_sees_what_it_may(made, tmp_path, service):
    picture, spec = made
    before = Folder(tmp_path).add(picture, spec, "before.png").name
    shared = Studio(service, tmp_path, shared=True)
    assert [e.name for e in shared.pictures(shared.sessions.get("a"))] == [before]
    studio = Studio(service, tmp_path)
    one, two = studio.sessions.get("one"), studio.sessions.get("two")
    own = studio.folder_of(one).add(with_prompt(picture, "a man"), spec, "own.png").name
    one.made.add(own)
    assert [entry.name for entry in studio.pictures(one)] == [own]
    assert studio.picture(one, own).name == own
    for session, name in ((two, own), (one, before), (one, None), (one, f"../{own}"), (one, [own])):
        with pytest.raises(UsageError, match="gone"):
            studio.picture(session, name)
    two.user = "ann"
    assert studio.pictures(two) == []


def test_vary_and_explain_start_from_the_planted_pixels(tmp_path, service, quick_pictures):
    studio = Studio(service, tmp_path)
    session = studio.sessions.get("a")
    studio.bring(session, FACE.read_bytes(), "face.png")
    [*_, last] = studio.make(session, Wish(prompt="a man in a red coat", seed=3))
    assert last.stage == "done"
    [entry] = studio.pictures(session)
    first = studio.folder_of(session).open(entry)
    [*_, last] = studio.vary(session, entry, 2)
    assert [picture.recipe.seed == 3 for picture in last.pictures] == [False, False]
    for picture in last.pictures:
        assert picture.condition.to_png() == first.condition.to_png()
        assert picture.recipe.plan == first.recipe.plan
        assert picture.image.tobytes() != first.image.tobytes()
    assert len(studio.pictures(session)) == 3
    folder = studio.folder_of(session)
    assert folder.explanation(entry) is None
    [*_, last] = studio.explain(session, entry)
    explained = folder.explanation(entry)
    assert [word for word, _ in explained.words] == ["a", "man", "in", "a", "red", "coat"]
    assert all(heat.mode == "L" for _, heat in explained.words)
    assert {heat.getextrema()[1] for _, heat in explained.words} == {255}
    assert len(studio.pictures(session)) == 3  # it was made again, and is the same picture


def test_a_dear_recipe_of_a_stranger_is_shown_and_not_carried_out(made, tmp_path, service):
    picture, _ = made
    dear = picture.recipe.settings.changed(
        steps=1000, t1=500, t2=900, cycles=1000, preserve=(), inversion_stride=1
    )
    recipe = picture.recipe.model_copy(update={"settings": dear})
    save_png(picture.image, tmp_path / "dear.png", recipe, picture.condition)
    studio = Studio(service, tmp_path, shared=True)
    session = studio.sessions.get("a")
    [entry] = studio.pictures(session)
    studio.folder_of(session).open(entry)
    [*_, last] = studio.vary(session, entry, 1)
    assert last.stage == "failed"
    assert "UNet samples" in last.message
