"""What the service takes and returns, as its OpenAPI description tells it."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """Why a request is not answered."""

    problem: str
    expected: str
    fix: str


class Answer(BaseModel):
    """A class, and how probable each class is."""

    model_config = ConfigDict(populate_by_name=True)

    class_: str = Field(alias="class")
    probability: float
    probabilities: dict[str, float]


class ViewAnswer(Answer):
    """What one net answers for one view; `weight` is its share in the mean."""

    net: int
    weight: float
    picture: str


class Prediction(Answer):
    """The answer for one image; the last three come with `explain` alone."""

    file: str | None
    picture: str | None = None
    views: list[ViewAnswer] | None = None
    reconstruction: str | None = None


class Predictions(BaseModel):
    """An answer for each image, in the order of the request."""

    predictions: list[Prediction]


class Health(BaseModel):
    """All is well."""

    ready: bool
    name: str
    version: str


class Model(BaseModel):
    """The net that answers."""

    name: str
    classes: list[str]
    channels: int
    height: int
    width: int
    resizes: bool
    nets: int
    views: int
    reconstructs: bool
    recipe: dict[str, Any]


def _refusals(statuses: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": text} for status, text in statuses.items()}


REFUSALS = _refusals(
    {
        400: "The request is no valid HTTP.",
        401: "The token is missing or wrong.",
        403: "A page of another origin asks.",
        408: "The request was not there in time.",
        421: "The Host header names another service.",
        429: "The client asks too often.",
        503: "The service has too much to do.",
    }
)
PREDICT_REFUSALS = _refusals(
    {
        400: "The multipart body is malformed, or holds no or too many files.",
        413: "The body is too large.",
        415: "The body is neither multipart nor an image file.",
        422: "An image cannot be used, or the query is wrong.",
    }
)
_FILE = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {"type": "array", "minItems": 1, "items": _FILE["schema"]}
                },
            }
        },
        "image/*": _FILE,
        "application/octet-stream": _FILE,
    },
}


def secure(app: FastAPI, token: bool) -> None:
    """Say in the description whether a token is asked for."""
    if not token:
        return
    description = app.openapi()
    schemes = description.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer"}
    description["security"] = [{"token": []}]
    description["paths"]["/health"]["get"]["security"] = []
