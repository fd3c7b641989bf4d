"""The ASGI application and its routes."""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

import alexnet_tf
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.batch import as_json
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.serving import schemas
from alexnet_tf.serving.explanations import LookAlikes, explanation
from alexnet_tf.serving.limits import Limits, Load
from alexnet_tf.serving.metrics import Metrics
from alexnet_tf.serving.middleware import Middleware
from alexnet_tf.serving.networks import Batcher, ServedNetwork
from alexnet_tf.serving.requests import json_of, pictures_of, unreadable
from alexnet_tf.serving.trainer_process import TrainerProcess
from alexnet_tf.serving.training_sessions import (
    MOST_CLASSES,
    Conflict,
    Gone,
    TrainingSession,
    TrainingSessions,
)
from alexnet_tf.system.quiet import import_tensorflow

PAGE = Path(__file__).with_name("page")
LANGUAGES = sorted(path.stem for path in PAGE.glob("languages/*.json"))
TOP, MOST_TOP = 5, 1000
STATUSES = {Gone: 404, Conflict: 409, UserError: 422, RunError: 500, ModuleNotFoundError: 501}
ABSENT = "this needs {}, which is not installed on this small server; a full one has it"
# Bytes of a file sent at a time.
PIECE = 1 << 18


@dataclass(frozen=True)
class Served:
    """Configuration of a server.

    `networks`: the first is the default. `imagenet`: a network of ImageNet's classes.
    `look_alikes`: an index of similar pictures. `trainer_process`: runs training sessions. `hosts`:
    accepted host names, if only this computer reaches the server; empty allows any. `origins`:
    sites whose pages may send requests. `token`: if set, training sessions require it.
    """

    networks: Sequence[ServedNetwork]
    imagenet: ServedNetwork | None = None
    look_alikes: LookAlikes | None = None
    trainer_process: TrainerProcess | None = None
    limits: Limits = field(default_factory=Limits)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    token: str | None = None


def make_app(served: Served) -> FastAPI:
    """Create the ASGI application."""
    load = Load(served.limits)
    metrics = Metrics(load)
    batcher = Batcher(metrics)
    sessions = TrainingSessions(served.trainer_process) if served.trainer_process else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with sessions.opened() if sessions else nullcontext():
            yield
        batcher.close()

    app = FastAPI(
        title="alexnet_tf",
        version=alexnet_tf.__version__,
        description="Says what pictures show.",
        lifespan=lifespan,
        docs_url=None,  # its pages load scripts from other sites
        redoc_url=None,
    )
    app.state.sessions = sessions
    for kind, status in STATUSES.items():
        app.add_exception_handler(kind, partial(_error, status))
    _add_predictions(app, served, load, batcher, sessions)
    _add_state(app, metrics)
    if sessions:
        app.include_router(_sessions_router(served, load, batcher, sessions))
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    app.add_middleware(
        Middleware, load=load, metrics=metrics, hosts=served.hosts, origins=served.origins
    )
    if served.origins:  # outside the middleware, so that these pages can read its errors
        app.add_middleware(
            CORSMiddleware,
            allow_origins=served.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization"],
            expose_headers=["Retry-After"],
        )
    return app


async def _error(status: int, request: Request, error: Exception) -> JSONResponse:
    """Return an error as JSON: a sentence, and its code where the page has words of its own."""
    words = ABSENT.format(error.name) if isinstance(error, ModuleNotFoundError) else str(error)
    return JSONResponse({"detail": words, "code": getattr(error, "code", None)}, status)


def _add_predictions(
    app: FastAPI, served: Served, load: Load, batcher: Batcher, sessions: TrainingSessions | None
) -> None:
    networks = {each.name: each for each in (*served.networks, served.imagenet) if each}

    def network_of(name: str) -> ServedNetwork:
        """Return the network of the given name, by default the first."""
        name = name or served.networks[0].name
        found = networks.get(name) or (sessions.network(name) if sessions else None)
        if not found:
            raise HTTPException(404, f"there is no network of that name; {', '.join(networks)}")
        return found

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/v1/networks")
    def list_networks() -> schemas.ServerInfo:
        """List the available networks and the server's other features."""
        return schemas.ServerInfo(
            networks=[
                schemas.NetworkInfo(name=each.name, classes=list(each.engine.classes))
                for each in served.networks
            ],
            imagenet=served.imagenet.name if served.imagenet else None,
            look_alikes=bool(served.look_alikes),
            lessons=bool(sessions),
            local=bool(served.hosts),
            needs_token=bool(served.token),
            languages=LANGUAGES,
            most_pictures=served.limits.pictures,
            most_bytes=served.limits.bytes,
        )

    @app.post("/v1/models/{network}:predict", **schemas.WITH_PICTURES)
    @app.post("/v1/predict", **schemas.WITH_PICTURES)
    async def predict(
        request: Request, network: str = "", top: int = TOP
    ) -> schemas.Predictions | schemas.InstancePredictions:
        """Predict pictures: the likeliest classes of each, or why it cannot be read.

        TensorFlow Serving's instances get its predictions: all classes, in the network's order.
        """
        if not 1 <= top <= MOST_TOP:
            raise HTTPException(422, f"top should be 1 to {MOST_TOP}")
        pictures = await pictures_of(request, served.limits)
        chosen = network_of(network)  # now, because sessions may be deleted while pictures arrive
        with load.of_pictures(len(pictures)):
            outputs = await batcher.submit(chosen, pictures)
        if getattr(request.state, "instances", False):
            return schemas.InstancePredictions(
                predictions=[_instance_prediction(chosen, each) for each in outputs]
            )
        predictions = []
        for picture, each in zip(pictures, outputs):
            if isinstance(each, ImageError):
                predictions.append(schemas.PicturePrediction(file=picture.name, error=each.reason))
            else:
                found = Prediction.of(picture.name, each, chosen.engine.classes, top)
                predictions.append(schemas.PicturePrediction(**as_json(found)))
        return schemas.Predictions(network=chosen.name, predictions=predictions)

    @app.post("/v1/explain", response_class=Response, **schemas.WITH_PICTURE_FOR_PICTURE)
    async def explain(request: Request, network: str = "", label: str = "") -> Response:
        """Draw a heat map of a class, by default the likeliest, over a picture: a JPEG."""
        picture = (await pictures_of(request, served.limits))[0]
        chosen = network_of(network)
        with load.of_pictures(1):
            await asyncio.to_thread(import_tensorflow)  # other requests go on meanwhile
            drawn = await batcher.run(explanation, chosen.engine, picture, label or None)
        return Response(drawn, media_type="image/jpeg")

    if look_alikes := served.look_alikes:

        @app.post("/v1/similar", **schemas.WITH_PICTURES)
        async def similar(request: Request) -> schemas.SimilarPictures:
            """Find the pictures of the index that are most similar to a picture."""
            picture = (await pictures_of(request, served.limits))[0]
            with load.of_pictures(1):
                found = await batcher.run(look_alikes.find, picture)
            return schemas.SimilarPictures(similar=found)


def _add_state(app: FastAPI, metrics: Metrics) -> None:
    @app.get("/healthz")
    def healthz() -> schemas.Health:
        """Report that the server is up."""
        return schemas.Health(status="ok")

    @app.get("/metrics", response_class=PlainTextResponse)
    def show_metrics() -> PlainTextResponse:
        """Return the server's metrics in Prometheus's text format."""
        return PlainTextResponse(metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _session(request: Request, name: str) -> TrainingSession:
    return request.app.state.sessions[name]


Session = Annotated[TrainingSession, Depends(_session)]


def _sessions_router(
    served: Served, load: Load, batcher: Batcher, sessions: TrainingSessions
) -> APIRouter:
    async def check_token(request: Request) -> None:
        """Raise HTTPException unless the request has the token for training sessions."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if served.token and not hmac.compare_digest(token.encode(), served.token.encode()):
            raise HTTPException(401, "to teach takes the token that the server was started with")

    router = APIRouter(
        prefix="/v1/lessons", dependencies=[Depends(check_token)], responses=schemas.ERRORS
    )

    @router.post("", status_code=201)
    async def begin() -> schemas.SessionInfo:
        """Create a training session, for a classifier of your own."""
        return schemas.SessionInfo.of(await sessions.new())

    @router.get("/{name}")
    async def show(session: Session) -> schemas.SessionInfo:
        """Show the state of a training session."""
        return schemas.SessionInfo.of(session)

    @router.delete("/{name}", status_code=204)
    async def end(session: Session) -> None:
        """Delete a training session with all its pictures, and stop its training."""
        await sessions.end(session.name)

    @router.post("/{name}/pictures", **schemas.WITH_PICTURES)
    async def add(request: Request, session: Session, label: int) -> schemas.Kept:
        """Add pictures to the class of that number, from 0; the response lists those kept."""
        if not 0 <= label < MOST_CLASSES:
            raise HTTPException(422, f"label should be 0 to {MOST_CLASSES - 1}")
        pictures = await pictures_of(request, served.limits)
        session.check()
        kept = []
        with load.of_pictures(len(pictures)):
            reasons = await asyncio.gather(*(batcher.decode(unreadable, p) for p in pictures))
            for picture, reason in zip(pictures, reasons):
                number, code = None, None
                try:
                    number = None if reason else session.add(label, picture)
                except Conflict as error:
                    reason, code = str(error), error.code
                kept.append(
                    schemas.KeptPicture(file=picture.name, number=number, error=reason, code=code)
                )
        session.look_soon()
        return schemas.Kept(pictures=kept)

    @router.get("/{name}/pictures")
    async def list_pictures(session: Session) -> schemas.SessionPictures:
        """List the pictures of a training session."""
        pictures = [schemas.SessionPicture(number=n, label=label) for n, label in session.labels()]
        return schemas.SessionPictures(pictures=pictures)

    @router.get("/{name}/pictures/{number}", response_class=Response, responses=schemas.JPEG)
    async def picture(session: Session, number: int) -> FileResponse:
        """Return a picture of a training session as it was sent."""
        return FileResponse(session.picture_path(number), media_type="image/jpeg")

    @router.delete("/{name}/pictures", status_code=204)
    async def remove_class(session: Session, label: int) -> None:
        """Delete all pictures of the class of that number."""
        session.remove_class(label)

    @router.delete("/{name}/pictures/{number}", status_code=204)
    async def remove(session: Session, number: int) -> None:
        """Delete a picture of a training session."""
        session.remove(number)

    @router.post("/{name}/train", status_code=202, **schemas.WITH_CLASSES)
    async def train(request: Request, session: Session) -> schemas.SessionInfo:
        """Start training on the pictures of a session; the request names its classes, in order."""
        classes = (await json_of(request)).get("classes")
        if not isinstance(classes, list):
            raise HTTPException(422, 'the object should be {"classes": [name, name, …]}')
        session.train(classes)
        return schemas.SessionInfo.of(session)

    @router.get("/{name}/run.zip", response_class=Response)
    async def download(session: Session) -> StreamingResponse:
        """Download the latest finished training as a zipped run."""
        file = await batcher.decode(session.open_zip)
        headers = {
            "Content-Length": str(file.seek(0, os.SEEK_END)),
            "Content-Disposition": 'attachment; filename="run.zip"',
        }
        return StreamingResponse(_pieces(file), headers=headers, media_type="application/zip")

    return router


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        yield from iter(lambda: file.read(PIECE), b"")


def _instance_prediction(
    network: ServedNetwork, found: np.ndarray | ImageError
) -> schemas.InstancePrediction:
    """Predict as TensorFlow Serving does with a SavedModel; an unreadable picture is an error."""
    if isinstance(found, ImageError):
        raise found
    classes = list(network.engine.classes)
    return schemas.InstancePrediction(classes=classes, probabilities=found[:-1].tolist())
