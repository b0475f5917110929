"""The page: its layout, and which method of `Studio` each event calls."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import gradio as gr

from sow.errors import SowError, UsageError
from sow.pictures.inputs import as_mask
from sow.pictures.loading import open_image
from sow.service.saved_picture import SavedPicture
from sow.studio import components
from sow.studio.api import Endpoints
from sow.studio.asking import plan_for_me
from sow.studio.examples import EXAMPLES, Start, find_example
from sow.studio.form import about, model_line, wish_of, words_of
from sow.studio.guard import owner_of
from sow.studio.job import ENDS, LOG, UNEXPECTED, Moment
from sow.studio.placing import read_placing
from sow.studio.restoring import recipe_in
from sow.studio.session import LARGE, Session
from sow.studio.studio import Studio
from sow.studio.views import (
    SHOWN_PICTURES,
    empty_view,
    from_data_url,
    look_view,
    moment_view,
    picture_view,
    placing_view,
    stage_view,
)
from sow.studio.wording import error_text

Moments = tuple[dict[str, Any], Moment]
"""Where a job is, and what else the stage shows."""
MAX_EDIT = 2**53
"""Above it, browsers know no whole numbers."""
MAX_QUERY = 200
"""Letters of a search."""
DELETE = (600, 3600)
"""How often Gradio looks for files that programs sent, and from what age it deletes them, in s."""

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""The page shows itself what is going on; programs have events of their own."""
LATEST: dict[str, Any] = {**HIDDEN, "trigger_mode": "always_last"}
"""Of several that come while one is answered the last one is answered too; Gradio drops it else."""


def build(studio: Studio, start: Start | None = None) -> gr.Blocks:
    """Return the page.

    start: what it begins with.
    """
    page = Page(studio, start)
    blocks: gr.Blocks
    with gr.Blocks(title="SOW Studio", analytics_enabled=False, delete_cache=DELETE) as blocks:
        Endpoints(studio, page._session).wire()  # first: events of the page take names too
        page.lay_out()
        page.wire(blocks)
        if start is not None:
            blocks.load(page.begin, None, [page.stage, page.form], **HIDDEN)
        blocks.unload(page.leave)
    return blocks


class Page:
    """The components of the page and what happens when they are used."""

    def __init__(self, studio: Studio, start: Start | None = None) -> None:
        self.studio, self.start = studio, start or Start()
        self._jobs = itertools.count()

    def lay_out(self) -> None:
        """Make the components."""
        model = self.studio.service.model

        # No method: Gradio marks it with an attribute. Not on the thread that serves everybody.
        async def words(said: Any) -> dict[str, Any]:
            prompt = said if isinstance(said, dict) else {}
            return await asyncio.to_thread(words_of, model, prompt)

        components.header(model_line(model))
        with gr.Row(elem_id="studio"):  # a grid, by theme.css
            self.stage = components.stage(value=empty_view(), elem_id="stage")
            self.form = components.form(
                elem_id="form",
                about=about(model),
                server_functions=[words],
            )
            self.look = components.look(elem_id="look")
        self.viewer = components.viewer(elem_id="viewer")

    @property
    def controls(self) -> list[Any]:
        """The components that a wish is read from, in the order of `wish_of`."""
        return [self.stage, self.form]

    def wire(self, blocks: gr.Blocks) -> None:
        """Say what is called when."""
        for event, does in (
            (self.stage.finished, self.finished),
            (self.stage.choose, self.choose),
            (self.stage.turn, self.turn),
            (self.stage.paint, self.paint),
            (self.stage.placed, self.placed),
            (self.form.reshape, self.place),
        ):
            event(does, self.controls, self.stage, **LATEST)
        self.stage.bring(self.bring, self.controls, [self.stage, self.form], **LATEST)
        self.viewer.use(self.use, self.controls, [self.stage, self.form], **LATEST)
        self.stage.example(self.example, self.controls, [self.stage, self.form], **LATEST)
        self.form.plan(self.plan, self.controls, [self.stage, self.form], **HIDDEN)
        self.form.make(
            self.make, self.controls, [self.stage, self.look, self.form],
            concurrency_limit=None, **HIDDEN,
        )  # fmt: skip
        self.form.cancel(self.cancel, None, None, **HIDDEN)
        self.look.search(self.search, None, self.look, **LATEST)
        self.look.more(self.more, None, self.look, **HIDDEN)
        self.look.open(self.open, None, self.viewer, **LATEST)
        self.viewer.step(self.step, None, self.viewer, **LATEST)
        self.viewer.vary(
            self.vary, self.controls, [self.stage, self.look, self.form],
            concurrency_limit=None, **HIDDEN,
        )  # fmt: skip
        self.viewer.explain(self.explain, None, self.viewer, concurrency_limit=None, **HIDDEN)
        blocks.load(self.look_around, None, self.look, **HIDDEN)

    # ------------------------------------------------------------------ events

    def begin(self, request: gr.Request) -> Any:
        """The page was opened."""
        form = {"prompt": self.start.prompt}
        if not self.start.picture:
            return gr.skip(), form
        session, start = self._session(request), self.start
        bring = partial(self.studio.bring, session, start.picture, start.name)
        return self._plant(session, (None, form), bring), form

    def bring(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """A picture was dropped, pasted, chosen or taken."""
        session, saved = self._session(request), None
        name = str(_sent(event, "name") or "picture")
        try:
            data = from_data_url(_sent(event, "data"))
            saved = recipe_in(data, name)
        except SowError as error:
            return stage_view(self.studio, session, error_text(error)), gr.skip()
        if saved is not None:
            return self._restore(session, saved)
        view = self._plant(session, controls, lambda: self.studio.bring(session, data, name))
        return view, gr.skip()

    def _restore(self, session: Session, saved: SavedPicture) -> Any:
        """Show everything as it was when a picture was made; return the stage and the form."""
        with self._alone(session):
            try:
                form = self.studio.restore(session, saved)
            except SowError as error:
                return stage_view(self.studio, session, error_text(error)), gr.skip()
            return stage_view(self.studio, session), form

    def finished(self, request: gr.Request, *controls: Any) -> Any:
        """The finished picture that everything came from is to be planted itself."""
        session = self._session(request)
        return self._plant(session, controls, lambda: self.studio.plant_finished(session))

    def example(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """One of the pictures to start with was clicked."""
        session, (stage, form) = self._session(request), controls
        try:
            example = find_example(_sent(event, "name"))
        except SowError as error:
            return stage_view(self.studio, session, error_text(error)), gr.skip()
        form = form if isinstance(form, dict) else {}
        # Its prompt is used if nothing else was written than that of another example.
        if form.get("prompt", "") in ("", *(one.prompt for one in EXAMPLES)):
            form = {**form, "prompt": example.prompt}
        view = self._plant(
            session, (stage, form), lambda: self.studio.bring(session, example.read(), example.name)
        )
        return view, form

    def choose(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """One of the faces was clicked, or all of the picture."""
        session, face = self._session(request), _sent(event, "face")
        index = face if isinstance(face, int) and face >= 0 else None
        return self._plant(session, controls, lambda: self.studio.choose(session, index))

    def turn(self, request: gr.Request, *controls: Any) -> Any:
        """The picture was turned."""
        session = self._session(request)
        return self._plant(session, controls, lambda: self.studio.turn(session))

    def paint(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """Somebody painted what is planted; without a mask, the outline that was found is used."""
        session, painted = self._session(request), _sent(event, "mask")

        def paint() -> None:
            mask = None
            if painted is not None:
                with open_image(io.BytesIO(from_data_url(painted)), "the mask", ("PNG",)) as image:
                    if image.width * image.height > LARGE:  # the page sends one of the piece's
                        raise UsageError("what was painted is too large", "paint it again")
                    mask = as_mask(image)
            self.studio.place(session, read_placing(controls[0]))
            self.studio.paint(session, mask)

        with self._alone(session):
            return stage_view(self.studio, session, _problem_of(paint))

    def placed(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """The piece or a region was moved."""
        session, edit = self._session(request), _sent(event, "edit")
        with self._alone(session):
            problem = _problem_of(lambda: self.studio.place(session, read_placing(controls[0])))
            known = type(edit) is int and abs(edit) < MAX_EDIT
            return placing_view(self.studio, session, problem, edit if known else None)

    def place(self, request: gr.Request, *controls: Any) -> Any:
        """The format or the prompt was changed."""
        session = self._session(request)
        if session.picture is None:
            return gr.skip()
        view = self._plant(session, controls, lambda: None)
        del view["job"]  # a picture that is shown stays
        return view

    def _plant(self, session: Session, controls: Any, act: Callable[[], None]) -> dict[str, Any]:
        """Do something with the picture, plan again, and return what the stage shows."""
        with self._alone(session):
            problem = _problem_of(act)  # if there is one, what was there before stays
            if session.picture is None:
                return stage_view(self.studio, session, problem)
            with self.studio.sessions.work_on(session.picture.size):
                session.problem = _problem_of(lambda: self.studio.plan(session, wish_of(*controls)))
                return stage_view(self.studio, session, problem)

    def plan(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """`Plan for me` was clicked, or what it asks was agreed to."""
        session, turn = self._session(request), next(self._jobs)
        try:
            wish = wish_of(*controls)
            by_model, agreed_to = _sent(event, "by") == "model", str(_sent(event, "agreed_to"))
            said = plan_for_me(self.studio, session, wish, by_model, agreed_to)
        except SowError as error:
            said = {"problem": error_text(error)}
        with self._alone(session):
            view = stage_view(self.studio, session) if "prompt" in said else gr.skip()
        return view, gr.HTML(planned={**said, "id": turn})

    def make(self, request: gr.Request, *controls: Any) -> Iterator[Any]:
        """Generate was clicked."""
        try:
            session = self._session(request)
        except SowError as error:  # too many people are here
            shown = moment_view(Moment("failed", message=error_text(error)))
            yield {"job": shown}, gr.skip(), gr.HTML(job={**_said(shown), "id": next(self._jobs)})
            return

        def start() -> Iterator[Moments]:
            wish, view = wish_of(*controls), {}
            with self._alone(session):  # the prompt's own event may be at it
                if session.picture is not None and not self.studio.is_planned(session, wish):
                    view = self._plant(session, controls, lambda: None)
            for moment in self.studio.make(session, wish):
                yield view, moment
                view = {}

        yield from self._show(session, start())

    def _show(self, session: Session, moments: Iterator[Moments]) -> Iterator[Any]:
        """Show a job on the stage and in the form, and then its pictures in the grid."""
        job = next(self._jobs)
        for view, moment in _with_failure(moments):
            shown, pictures = moment_view(moment), gr.skip()
            if moment.stage in ENDS:  # some may have been made before it was given up
                session.query = ""  # so that they are seen
                pictures = look_view(self.studio, session)
            yield {**view, "job": shown}, pictures, gr.HTML(job={**_said(shown), "id": job})

    def cancel(self, request: gr.Request) -> None:
        """Cancel was clicked."""
        self.studio.cancel(self._session(request))

    # ------------------------------------------------------------------ look

    def look_around(self, request: gr.Request) -> Any:
        """The page was opened: there may be pictures from before."""
        return look_view(self.studio, self._session(request))

    def search(self, event: gr.EventData, request: gr.Request) -> Any:
        """Words were written into the search."""
        session = self._session(request)
        session.query, session.shown = str(_sent(event, "query") or "")[:MAX_QUERY], 0
        return look_view(self.studio, session)

    def more(self, request: gr.Request) -> Any:
        """The end of the grid was reached."""
        session = self._session(request)
        session.shown += SHOWN_PICTURES
        return look_view(self.studio, session)

    def open(self, event: gr.EventData, request: gr.Request) -> Any:
        """A picture of the grid was clicked."""
        return self._view(self._session(request), _sent(event, "name"))

    def step(self, event: gr.EventData, request: gr.Request) -> Any:
        """The next picture, or the one before, is to be shown."""
        session = self._session(request)
        name = _sent(event, "name")
        names = [entry.name for entry in self.studio.pictures(session, session.query)]
        if not names:
            return self._view(session, name)
        at = names.index(name) if name in names else 0
        return self._view(
            session, names[(at + (1 if _sent(event, "by") == 1 else -1)) % len(names)]
        )

    def _view(self, session: Session, name: object) -> dict[str, Any]:
        view: dict[str, Any] = {"id": next(self._jobs)}
        try:
            return view | picture_view(self.studio, session, self.studio.picture(session, name))
        except SowError as error:
            return view | {"problem": str(error)}

    def vary(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Iterator[Any]:
        """More pictures like one are wanted."""
        session = self._session(request)

        def start() -> Iterator[Moments]:
            wish, entry = wish_of(*controls), self.studio.picture(session, _sent(event, "name"))
            for moment in self.studio.vary(session, entry, wish.num, explain=wish.explain):
                yield {}, moment

        yield from self._show(session, start())

    def use(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """Everything is to be as it was for a picture."""
        session = self._session(request)
        try:
            saved = self.studio.saved(session, self.studio.picture(session, _sent(event, "name")))
        except SowError as error:
            return stage_view(self.studio, session, error_text(error)), gr.skip()
        return self._restore(session, saved)

    def explain(self, event: gr.EventData, request: gr.Request) -> Iterator[Any]:
        """It is to be shown what the words did."""
        session, name = self._session(request), _sent(event, "name")

        def start() -> Iterator[Moments]:
            for moment in self.studio.explain(session, self.studio.picture(session, name)):
                yield {}, moment

        for _, moment in _with_failure(start()):
            yield gr.HTML(job={**_said(moment_view(moment)), "name": name})
        if moment.stage == "done":
            yield self._view(session, name)

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.studio.sessions.end(session_key(request))

    @contextmanager
    def _alone(self, session: Session) -> Iterator[None]:
        """Let the events of a session work on its picture one after the other."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.studio.sessions.event_of(session))
            except SowError as error:  # more than anybody clicks
                raise gr.Error(error_text(error), print_exception=False) from None
            yield

    def _session(self, request: gr.Request) -> Session:
        session = self.studio.sessions.get(session_key(request), person(request))
        session.user = request.username or ""
        return session


def _with_failure(moments: Iterator[Moments]) -> Iterator[Moments]:
    """Yield moments; that a job could not be started is one too."""
    try:
        yield from moments
    except SowError as error:
        yield {}, Moment("failed", message=str(error))
    except Exception:  # else the form would wait for ever
        LOG.exception("a job of the page could not be started")
        yield {}, Moment("failed", message=UNEXPECTED)


def _said(moment: dict[str, Any]) -> dict[str, Any]:
    """Return a moment without its picture."""
    return {key: moment[key] for key in ("stage", "place", "done", "message")}


def session_key(request: gr.Request) -> str:
    """Return the name of a page's session: who knows Gradio's name of it cannot use it."""
    return f"{_browser(request)}/{request.session_hash}"


def person(request: gr.Request) -> str:
    """Return who stands in the line: a user, else a browser, else a machine."""
    client = request.client.host if request.client else ""
    return request.username or _browser(request) or client


def _browser(request: gr.Request) -> str:
    return owner_of(request.request.scope) if request.request else ""


def _problem_of(act: Callable[[], object]) -> str:
    """Do something, and return what was wrong with it as a sentence, or nothing."""
    try:
        act()
    except SowError as error:
        return error_text(error)
    return ""


def _sent(event: gr.EventData, name: str) -> Any:
    """Return a part of what an event of the page sent, or None; it may be anything."""
    data = event._data
    return data.get(name) if isinstance(data, dict) else None
