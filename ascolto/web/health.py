"""Whether this process lives and can serve, for machines that watch it."""

import secrets

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ascolto.web.deps import HouseOf

router = APIRouter(include_in_schema=False)

LOOPBACK = frozenset({"127.0.0.1", "::1", "testclient"})


@router.get("/healthz")
def is_alive() -> PlainTextResponse:
    """Say that the process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz")
def is_ready(house: HouseOf) -> JSONResponse:
    """Say whether the database answers, and what reads posts; a simpler model than was asked for still serves."""
    try:
        with house.store.read() as session:
            session.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return JSONResponse({"ready": False, "database": "unreachable"}, status_code=503)
    health = house.tagger_health()
    return JSONResponse({"ready": True, "tagger": health.tier, "tagger_degraded": health.degraded})


@router.get("/metrics")
def show_metrics(request: Request, house: HouseOf) -> Response:
    """Give figures for Prometheus, to holders of the token, or to this machine when none is set."""
    token = house.settings.metrics_token.get_secret_value()
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    is_here = request.client is not None and request.client.host in LOOPBACK
    if not (secrets.compare_digest(given.encode(), token.encode()) if token else is_here):
        return PlainTextResponse("forbidden", status_code=403)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
