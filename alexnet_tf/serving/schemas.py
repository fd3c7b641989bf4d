"""Schemas of the API, described in OpenAPI, and of the bodies that are parsed by hand."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from alexnet_tf.serving import training_sessions


class Error(BaseModel):
    """Why a request was refused, as a sentence, and as a code where there is one."""

    detail: Any
    code: str | None = None


class Class(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class PicturePrediction(BaseModel):
    """The likeliest classes of a picture, the likeliest first; or why it cannot be read. Its
    `novelty` is above 1 if it is unlike everything that the network was trained on."""

    file: str
    label: str | None = None
    probability: float | None = None
    top: list[Class] = []
    novelty: float | None = None
    error: str | None = None


class Predictions(BaseModel):
    """A network's predictions for the pictures, in their order."""

    network: str
    predictions: list[PicturePrediction]


class InstancePrediction(BaseModel):
    """All classes and their probabilities, in the network's order."""

    classes: list[str]
    probabilities: list[float]


class InstancePredictions(BaseModel):
    """A network's predictions for instances, in their order, in TensorFlow Serving's format."""

    predictions: list[InstancePrediction]


class NetworkInfo(BaseModel):
    """An available network."""

    name: str
    classes: list[str]


class SessionLimits(BaseModel):
    """Limits of training sessions: their number; the classes, pictures and bytes of one; and the
    seconds after which an unused one is deleted."""

    lessons: int = training_sessions.MOST_SESSIONS
    classes: int = training_sessions.MOST_CLASSES
    pictures: int = training_sessions.MOST_PICTURES
    bytes: int = training_sessions.MOST_BYTES
    unused: float = training_sessions.UNUSED


class ServerInfo(BaseModel):
    """The available networks and the server's other features; `local` is true if only the server's
    own computer can reach it."""

    networks: list[NetworkInfo]
    imagenet: str | None
    look_alikes: bool
    lessons: bool
    lesson_limits: SessionLimits = SessionLimits()
    local: bool
    needs_token: bool
    most_pictures: int
    most_bytes: int
    languages: list[str]


class SimilarPicture(BaseModel):
    """A similar picture: its name, the distance of its fc7, and a thumbnail as a data URL."""

    file: str
    distance: float
    picture: str | None


class SimilarPictures(BaseModel):
    """Similar pictures, the nearest first."""

    similar: list[SimilarPicture]


class Health(BaseModel):
    """The state of the server."""

    status: Literal["ok"]


class KeptPicture(BaseModel):
    """A picture of a training session: its number, or why it cannot be read."""

    file: str
    number: int | None
    error: str | None
    code: str | None = None


class Kept(BaseModel):
    """The result for each picture added to a training session, in order."""

    pictures: list[KeptPicture]


class SessionPicture(BaseModel):
    """A picture of a training session: its own number, and that of its class."""

    number: int
    label: int


class SessionPictures(BaseModel):
    """The pictures of a training session, in the order in which they were added."""

    pictures: list[SessionPicture]


class TrainingEpoch(BaseModel):
    """A finished epoch: mean loss, and accuracy (0 to 1), in training and in validation (val_)."""

    epoch: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


class SessionInfo(BaseModel):
    """The state of a training session.

    The session's name selects its latest network in a request; the network's own name does so until
    a later one replaces it. `kept_back` is the number of validation pictures: if it is all of them,
    each was predicted by a head trained without it.
    """

    name: str
    state: Literal["collecting", "training", "ready", "failed"]
    error: str
    classes: list[str]
    network: str | None
    kept_back: int
    history: list[TrainingEpoch]

    @classmethod
    def of(cls, session: training_sessions.TrainingSession) -> SessionInfo:
        """Return the state of a training session."""
        return cls(
            name=session.name,
            state=session.state,
            error=session.error,
            classes=list(session.classes),
            network=session.network.name if session.network else None,
            kept_back=session.kept_back(),
            history=[TrainingEpoch(**epoch) for epoch in session.history()],
        )


def _refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Error} for code in codes}


def _body(kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    content = {kind: {"schema": schema} for kind, schema in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def _object(name: str, item: dict[str, Any], least: int = 1) -> dict[str, Any]:
    """Describe an object with an array."""
    several = {"type": "array", "items": item, "minItems": least}
    return {"type": "object", "required": [name], "properties": {name: several}}


_BINARY = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "format": "byte"}
_INSTANCE = {"type": "object", "properties": {"b64": _BASE64}}
_CLASS = {"type": "string", "minLength": 1, "nullable": True}
_PICTURES = {
    "multipart/form-data": _object("pictures", _BINARY),
    "application/json": {"anyOf": [_object("pictures", _BASE64), _object("instances", _INSTANCE)]},
    "image/*": _BINARY,
}
ERRORS = _refusals(401, 403, 404, 409, 413, 421, 422, 429, 503)
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
WITH_PICTURES: dict[str, Any] = {
    "responses": ERRORS | _refusals(400, 408, 415),
    "openapi_extra": _body(_PICTURES),
}
WITH_PICTURE_FOR_PICTURE = WITH_PICTURES | {"responses": WITH_PICTURES["responses"] | JPEG}
WITH_CLASSES: dict[str, Any] = {
    "responses": _refusals(400),
    "openapi_extra": _body({"application/json": _object("classes", _CLASS, 2)}),
}
