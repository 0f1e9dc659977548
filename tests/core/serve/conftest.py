"""A service on a real socket in a thread of this process."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from fieldtune.serve.app import Service
from fieldtune.serve.hosts import known_hosts
from fieldtune.serve.keys import Keys
from fieldtune.serve.limits import Limits
from fieldtune.serve.run import listening
from tests.core.serve.echo import Echo, Running, Serve


@pytest.fixture
def serving() -> Serve:
    """``with serving(model, keys=[...], rows=3) as running``: any limit by name."""

    @contextmanager
    def start(model: Any, keys: Sequence[str] = (), hosts: Sequence[str] = (), **limits: Any) -> Iterator[Running]:
        service = Service(model, Limits().updated(limits))
        sock = listening("127.0.0.1", 0)
        app = service.app(Keys(list(keys)), known_hosts("127.0.0.1", hosts))
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", http="h11", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            yield Running(sock.getsockname()[1], service)
        finally:
            if isinstance(model, Echo):
                model.gate.set()
            server.should_exit = True
            thread.join(30)
            sock.close()
            assert not thread.is_alive()

    return start


@pytest.fixture
def echo() -> Echo:
    """A model whose gate is open."""
    model = Echo()
    model.gate.set()
    return model
