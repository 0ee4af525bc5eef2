"""Pulls images, looks at each line of the engine's answer, and says in plain words why it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from differ.kubelet.actions import PullImage, RegistryCredentials, RemoveImage
from hosts.docker.engine import Engine, translated
from objects.errors import DeadlineExceeded, DiskFull, EngineError, ImagePullFailed
from objects.values.image_reference import parse_image_reference

SILENCE_SECONDS = 120.0
"""A pull may take as long as it likes while it makes progress; the engine reports several times a second."""
TOTAL_SECONDS = 3600.0


def pull_image(engine: Engine, action: PullImage) -> None:
    """Fetch the image: with each log-in in turn, then without. Raises ImagePullFailed, DiskFull or what the link
    raises.

    A log-in that the registry does not take is passed over. Told is the refusal that says most (`telling_refusal`).
    """
    refusals: list[ImagePullFailed] = []
    for credentials in (*action.credentials, None):
        try:
            _pull(engine, action.image, credentials)
        except ImagePullFailed as error:
            refusals.append(error)
            continue
        return
    raise telling_refusal(refusals)


def telling_refusal(refusals: Sequence[ImagePullFailed]) -> ImagePullFailed:
    """Of the refusals of one image, in the order of the tries, the one to be told.

    The first that is not about the log-in: who was let in and heard that there is no such tag knows more than who was
    turned away at the door. Else the first: a log-in was meant for this registry, the try without any comes last.
    """
    return next((one for one in refusals if not _is_about_log_in(one.message)), refusals[0])


def remove_image(engine: Engine, action: RemoveImage) -> None:
    """Remove the image by each of its names; the last one takes its layers along. Images that containers use stay.

    Raises EngineError (409 when it is used) or what the link raises; what is not there any more is fine.
    """
    tags = [name for name in action.names if "@" not in name]
    for name in tags or action.names or (action.id,):
        try:
            engine.api.remove_image(name, force=False, noprune=False)
        except EngineError as error:
            if error.status != 404:
                raise


def _pull(engine: Engine, image: str, credentials: RegistryCredentials | None) -> None:
    reference = parse_image_reference(image)
    repository, _, _ = image.partition("@")
    if not reference.digest and repository.endswith(f":{reference.tag}"):
        repository = repository.removesuffix(f":{reference.tag}")
    auth = None
    if credentials is not None:
        auth = {"username": credentials.username, "password": credentials.password.reveal().decode(errors="replace")}
    clock = engine.link.clock
    deadline = clock() + TOTAL_SECONDS
    try:
        with engine.deadline(SILENCE_SECONDS), translated(engine.host):
            # An empty log-in keeps the SDK from looking for one in files of this machine.
            lines: Iterator[Mapping[str, Any]] = engine.api.pull(
                repository, tag=reference.digest or reference.tag, stream=True, decode=True, auth_config=auth or {}
            )
            for line in lines:
                _check_line(line, image, engine.host)
                if clock() > deadline:
                    raise ImagePullFailed(f"pull of {image} took more than {TOTAL_SECONDS:.0f} s", host=engine.host)
    except EngineError as error:
        raise refused(image, error.message, engine.host) from error
    except DeadlineExceeded as error:
        message = f"pull of {image}: no progress for {SILENCE_SECONDS:.0f} s"
        raise ImagePullFailed(message, host=engine.host) from error


def _check_line(line: Mapping[str, Any], image: str, host: str) -> None:
    if "error" not in line:
        return
    message = str((line.get("errorDetail") or {}).get("message") or line["error"])
    if "no space left on device" in message:
        raise DiskFull(message, host=host, hint="free space in Docker's root directory")
    raise refused(image, message, host)


def _is_about_log_in(message: str) -> bool:
    text = message.lower()
    return any(words in text for words in ("unauthorized", "authentication required", "no basic auth", "denied"))


def refused(image: str, message: str, host: str) -> ImagePullFailed:
    """What a registry's or engine's refusal means, and what to do about it."""
    text = message.lower()
    if _is_about_log_in(text):
        hint = "the registry wants a log-in: check imagePullSecrets, and the image's name"
    elif any(words in text for words in ("manifest unknown", "not found", "does not exist")):
        hint = "the registry does not know this image or tag"
    elif any(words in text for words in ("no such host", "refused", "timeout", "no route", "unreachable", "lookup")):
        hint = "the host cannot reach the registry"
    elif "http response to https" in text:
        hint = "the registry speaks plain HTTP: list it as insecure-registry in the host's daemon.json"
    else:
        hint = ""
    return ImagePullFailed(f"{image}: {message}", host=host, hint=hint)
