"""Pictures of a request, multipart or JSON; kept in memory only, and names are not trusted."""

import asyncio
import base64
import binascii
import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.serving.limits import Limits

# Characters kept of a picture's name, which is returned in the response.
MOST_NAME = 200
# Form fields allowed besides pictures.
MOST_FIELDS = 8
# Values allowed in JSON, and more per picture; larger documents are not parsed.
MOST_VALUES, EACH = 10_000, 8
URL_SAFE = str.maketrans("-_", "+/")


class _Parser(MultiPartParser):
    """A multipart parser that never writes a file to disk, however large it is."""

    spool_max_size = 0  # no limit, as in tempfile


async def pictures_of(request: Request, limits: Limits) -> list[InMemory]:
    """Read the pictures of a request.

    They are files of a form, the body itself, or JSON: ``{"pictures": [base64, …]}``, or as in
    TensorFlow Serving ``{"instances": [{"b64": …}]}``, which sets `request.state.instances`.

    Raises HTTPException 400 for a malformed body, 413 for too many pictures, 415 for an unsupported
    media type, 422 for no picture.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _of_form(request, limits.pictures)
    elif kind == "application/json":
        most = MOST_VALUES + EACH * limits.pictures
        found, request.state.instances = await asyncio.to_thread(
            _of_json, await request.body(), most
        )
    elif kind.startswith("image/"):
        found = [InMemory("picture", content)] if (content := await request.body()) else []
    else:
        raise HTTPException(
            415, "send pictures as multipart/form-data, application/json or image/…"
        )
    if len(found) > limits.pictures:
        raise _too_many(limits.pictures)
    if not found:
        raise HTTPException(422, "there is no picture in the request")
    return found


def unreadable(picture: InMemory) -> str | None:
    """Return why a picture cannot be read; None if it can."""
    try:
        with decoded(picture):
            return None
    except ImageError as error:
        return error.reason


async def json_of(request: Request) -> dict[str, Any]:
    """Read the JSON object of a request; HTTPException 400 if it is invalid, 413 if too large."""
    return _object(await request.body(), MOST_VALUES)


def _object(body: bytes, most: int) -> dict[str, Any]:
    """Parse a JSON object, unless it has more than about `most` values."""
    if sum(map(body.count, (b",", b":", b"[", b"{"))) > most:
        raise HTTPException(413, f"the JSON has more than {most:,} values")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is no JSON") from error
    if not isinstance(content, dict):
        raise HTTPException(422, "the body should be a JSON object")
    return content


async def _of_form(request: Request, most: int) -> list[InMemory]:
    parser = _Parser(request.headers, request.stream(), max_files=most, max_fields=MOST_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise _too_many(most) from error
        raise HTTPException(400, f"the form is broken: {error.message}") from error
    except (KeyError, ValueError, LookupError) as error:
        raise HTTPException(400, "the form is broken") from error
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        return [InMemory(_name(file.filename), await file.read()) for file in files]
    finally:
        await form.close()


def _of_json(body: bytes, most: int) -> tuple[list[InMemory], bool]:
    """Return the pictures in a body, and whether they are TensorFlow Serving's instances."""
    content = _object(body, most)
    texts, is_instances = content.get("pictures"), isinstance(content.get("instances"), list)
    if is_instances:
        texts = [_instance(each) for each in content["instances"]]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HTTPException(422, 'the object should be {"pictures": [base64, …]}')
    pictures = [InMemory(f"picture {n}", _decoded(text)) for n, text in enumerate(texts, 1)]
    return pictures, is_instances


def _instance(instance: object) -> object:
    """Return the base64 in ``{"b64": base64}``, or in ``{"bytes": {"b64": base64}}``."""
    for _ in range(2):
        if isinstance(instance, dict) and len(instance) == 1:
            (instance,) = instance.values()
    return instance


def _decoded(text: str) -> bytes:
    """Decode base64, or a data URL as a canvas returns it; line breaks, the URL-safe alphabet and
    missing padding are accepted."""
    try:
        text = "".join(text.rpartition(",")[2].split()).rstrip("=").translate(URL_SAFE)
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, "a picture is no base64") from error


def _name(name: str | None) -> str:
    return (name or "picture").replace("\\", "/").rpartition("/")[2][:MOST_NAME] or "picture"


def _too_many(most: int) -> HTTPException:
    return HTTPException(413, f"a request may have {most} pictures at most")
