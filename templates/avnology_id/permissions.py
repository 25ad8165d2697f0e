"""`client.permissions`: who may do what."""

import json
from collections.abc import Mapping

from avnology_id import errors
from avnology_id.answers import flag, read
from avnology_id.options import Paths, Scopes
from avnology_id.platform import Platform

MAX_ID_LENGTH = 256


class Permissions:
    """The calls about permissions (`/docs/api/permissions/check`)."""

    def __init__(
        self, platform: Platform, paths: Paths, scopes: Scopes, namespaces: Mapping[str, str]
    ) -> None:
        self._platform = platform
        self._path = paths.permission_check
        self._scopes = frozenset(scopes.permissions.split())
        self._namespaces = dict(namespaces)

    async def check(self, *, subject: str, relation: str, object: str) -> bool:
        """Tell whether `subject` (`user:<id>`) has `relation` to `object` (`project:<id>`).

        Raises `ValidationError`, unasked, for an id that would make another tuple of it, else
        `AvnologyIdError`: an error never means yes.
        """
        subject_type, subject_id = split(subject)
        object_type, object_id = split(object)
        question = {
            "namespace": self._namespaces.get(object_type, object_type),
            "object": object_id,
            "relation": relation,
            "subject": f"{self._namespaces.get(subject_type, subject_type)}:{subject_id}",
        }
        body = json.dumps(question, ensure_ascii=False).encode()
        reply = await self._platform.call("POST", self._path, self._scopes, body)
        return read(reply, lambda document: flag(document, "allowed"))


def split(name: str) -> tuple[str, str]:
    """Return the type and the id of `type:id`. Raises `ValidationError` if it is anything else."""
    kind, _, identifier = name.partition(":")
    good = kind and identifier and name.isprintable() and len(identifier) <= MAX_ID_LENGTH
    if not good or not {"#", "@", ":"}.isdisjoint(identifier):
        raise errors.ValidationError("not a name of the form type:id", code="invalid_id")
    return kind, identifier
