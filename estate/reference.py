"""A target on its way to a step: its name and a digest of the rest, never where it is or what it is reached with.

Whoever can schedule a step must not choose where it goes or which secret it carries. So ``Named[PostgresTarget]`` is written
as a reference, and read back as a target that has its name and nothing else: a worker puts what its own inventory says in
the place of it before the step begins (``activities.run.inventory``). Where that was forgotten, the first address or secret
that the step asks for is an ``AttributeError``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from estate.base import Reference, Target

_DIGEST_LENGTH = 32


def reference_of(target: Target) -> Reference:
    """Return who ``target`` is. Settings that are as they are by default do not count: a later version may have more."""
    if target.told is not None:
        return target.told
    content = target.model_dump(mode="json", exclude_defaults=True, exclude={"seal"})
    digest = hashlib.sha256(f"{target.KIND}\n{json.dumps(content, sort_keys=True)}".encode()).hexdigest()
    names = {name: getattr(target, name) for name in target.NAMES}
    return Reference(kind=target.KIND, digest=digest[:_DIGEST_LENGTH], **names)


def _read(value: Any, check: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - what was sent
    """Return the target that a reference names, or the whole one that an older version has sent."""
    if not (isinstance(value, Mapping) and "digest" in value):
        return check(value)
    reference = Reference.model_validate(value)
    kind = Target.kinds.get(reference.kind)
    if kind is None:
        message = f"kind is {reference.kind!r}, expected one of {', '.join(sorted(Target.kinds))}"
        raise ValueError(message)
    return check(kind.named(reference))


def _write(target: Target) -> dict[str, Any]:
    return reference_of(target).model_dump(exclude_defaults=True)


T = TypeVar("T")
Named = Annotated[T, WrapValidator(_read), PlainSerializer(_write)]
"""A field that is written as a reference."""
