"""`sow studio`: the web page."""

from __future__ import annotations

import signal
import webbrowser
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, ModelName
from sow.cli.output import print_json, print_note, report
from sow.errors import INTERRUPTED, UsageError


def studio(
    model: ModelName = "auto",
    face: Annotated[
        Path | None, typer.Option("--face", "--image", help="Picture to start with.")
    ] = None,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="Prompt to start with.")] = "",
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. If other machines can reach it, --auth is required."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on; 0 is any free one. Default: the first free one from 7860.",
        ),
    ] = None,
    auth: Annotated[
        list[str] | None,
        typer.Option(
            "--auth",
            metavar="USER:PASSWORD",
            help="Who may use the page. May be repeated. Other users of this machine can see it in "
            "the list of processes; --auth-file and the variable SOW_STUDIO_AUTH are safer.",
        ),
    ] = None,
    auth_file: Annotated[
        Path | None,
        typer.Option(help="File that lists who may use the page, one user:password per line."),
    ] = None,
    share: Annotated[
        bool,
        typer.Option(
            "--share",
            help="Give the page a public address through Gradio's servers; --auth is required.",
        ),
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path(
        "studio"
    ),
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Start a web page where a picture is planted by hand (needs the extra studio)."""
    from sow.service.service import Service

    try:
        from sow.studio.access import check_access, read_accounts
        from sow.studio.examples import Start
        from sow.studio.launch import serve
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise UsageError("sow studio needs Gradio", "run pip install 'sow[studio]'") from None
    accounts = read_accounts(auth or (), auth_file)
    check_access(host, share, accounts)  # before a model is looked for
    start = Start.of(face, prompt) if face or prompt else None
    service = Service(model, device=device, dtype=dtype, report=report)
    interrupted = _interrupts()
    with serve(
        service, out, host=host, port=port, accounts=accounts, share=share, start=start
    ) as served:
        address = served.share_url or served.url
        if as_json:
            print_json({"url": served.url, "share_url": served.share_url})
        else:
            typer.echo(address)
        print_note("Ctrl-C ends the page")
        service.start_loading()  # while somebody looks at the page
        if open_page:
            webbrowser.open(address)
        interrupted.get()
    print_note("sow: interrupted")
    raise typer.Exit(INTERRUPTED)


def _interrupts() -> SimpleQueue[None]:
    """Return what Ctrl-C, or what else asks a server to end, puts something into.

    The second one ends it at once, as it ends other commands. It is not an event: to set one in a
    signal's handler waits for ever if the thread was just beginning to wait for it.
    """
    interrupted: SimpleQueue[None] = SimpleQueue()
    before = signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        interrupted.put(None)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    return interrupted
