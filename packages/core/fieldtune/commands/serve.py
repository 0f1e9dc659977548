"""``fieldtune serve``: one fine-tuned model behind HTTP."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from fieldtune.cli_kit import Json, pair, show
from fieldtune.errors import MissingExtraError

_NEEDED = ("starlette", "uvicorn", "prometheus_client")


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(serve)


def serve(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one, which is printed.")] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="File of keys, one a line; or FIELDTUNE_KEYS, separated by commas.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name by which clients reach it, repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A limit, key=value, repeatable: permits=512, deadline_s=30, rate=10, ..."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer POST /predict and /encode; GET /info, /health, /ready, /metrics. SIGTERM finishes what was accepted.

    A body is {"texts": ["..."]} or {"rows": [{column: value}]}.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(", ".join(missing), "not installed", "pip install 'fieldtune[serve]'")
    from fieldtune.serve.app import Service
    from fieldtune.serve.hosts import bindable, known_hosts
    from fieldtune.serve.keys import read_keys
    from fieldtune.serve.limits import Limits
    from fieldtune.serve.run import address, listening, run

    limits = Limits().updated(dict(pair(item, "--set") for item in settings or []))
    known = read_keys(keys, os.environ)
    bindable(host, len(known))
    from fieldtune.serve.served import Served  # the model's libraries take seconds, so refusals come first

    served = Served(model)
    served.warm()
    service = Service(served, limits)
    app = service.app(known, known_hosts(host, allow_host or []))
    with listening(host, port) as sock:
        ready = {"url": address(sock), "task": served.task, "version": served.version, "keys": len(known)}
        run(service, app, sock, lambda: show(ready, as_json))
