"""Runs the web application under uvicorn, set up so that it stops at once when told to."""

import uvicorn
from fastapi import FastAPI

STOP_SECONDS = 3


def make_server(app: FastAPI, *, host: str, port: int) -> uvicorn.Server:
    """Give a server ready to `run()`. Port 0 takes a free one. Proxies on this machine may name the client."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
    )
    return uvicorn.Server(config)
