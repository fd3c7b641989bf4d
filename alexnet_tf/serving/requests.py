"""The pictures in a request, multipart or JSON: in memory alone, whatever they are called."""

from __future__ import annotations

import base64
import binascii
import json

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from alexnet_tf.data.decoding import ImageError, InMemory, decoded
from alexnet_tf.serving.limits import Limits

# Of a picture's name so many characters are kept, to be said again in the answer.
MOST_NAME = 200
# Beside pictures a form may have so many fields.
MOST_FIELDS = 8


class _Parser(MultiPartParser):
    """A parser that writes no file to the disk, however large it is."""

    spool_max_size = 0  # as tempfile has it: no limit


async def pictures_of(request: Request, limits: Limits) -> list[InMemory]:
    """Read the pictures of a request: files of a form, or ``{"pictures": [base64, …]}``.

    HTTPException 400 for a body that is broken, 413 for too many pictures, 415 for another kind of
    body, 422 for none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _of_form(request, limits.pictures)
    elif kind == "application/json":
        found = _of_json(await json_of(request))
    else:
        raise HTTPException(415, "send pictures as multipart/form-data or application/json")
    if len(found) > limits.pictures:
        raise _too_many(limits.pictures)
    if not found:
        raise HTTPException(422, "there is no picture in the request")
    return found


def unreadable(picture: InMemory) -> str | None:
    """Say why a picture cannot be read; None if it can."""
    try:
        with decoded(picture):
            return None
    except ImageError as error:
        return error.reason


async def json_of(request: Request) -> dict:
    """Read the JSON object of a request; HTTPException 400 where there is none."""
    try:
        content = json.loads(await request.body())
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


def _of_json(content: dict) -> list[InMemory]:
    texts = content.get("pictures")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HTTPException(422, 'the object should be {"pictures": [base64, …]}')
    return [InMemory(f"picture {n}", _decoded(text)) for n, text in enumerate(texts, 1)]


def _decoded(text: str) -> bytes:
    """Decode base64, of which the address of a canvas (data:image/…;base64,…) has some too."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, "a picture is no base64") from error


def _name(name: str | None) -> str:
    return (name or "picture").replace("\\", "/").rpartition("/")[2][:MOST_NAME] or "picture"


def _too_many(most: int) -> HTTPException:
    return HTTPException(413, f"a request may have {most} pictures at most")
