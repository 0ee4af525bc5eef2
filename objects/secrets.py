"""Secret values as a type of their own, so that no log, diff, plan, commit or error can hold one by accident.

`repr`, `str`, `format` and every encoder show a fixed mask. Only `reveal()` gives the bytes; its callers are the
redaction boundary and are few on purpose (composing a container's environment and files, registry log-in).
"""

from __future__ import annotations

import base64
import binascii

from objects.errors import InvalidInput

MASK = "***"


class SecretValue:
    """Opaque bytes. Compares by value; hashable; immutable."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    @classmethod
    def from_base64(cls, text: str) -> SecretValue:
        """text: base64 as in `Secret.data`; white space is allowed as kubectl allows it. Raises InvalidInput."""
        try:
            return cls(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            # The text may be the secret itself, forgotten to encode: it must not appear in the message.
            raise InvalidInput("value is not valid base64", hint="use stringData for plain text") from None

    def reveal(self) -> bytes:
        """The secret bytes. Never put the result into anything that is shown or stored."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a SecretValue is never pickled")
