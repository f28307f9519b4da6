"""Paging of compiled lists, in the surface's style."""

from __future__ import annotations

from synthtools.blueprint import Parameter
from synthtools.surface import Surface


def page_parameters(surface: Surface) -> tuple[dict[str, Parameter], str]:
    """The arguments with which a list is paged, and the clause that does it."""
    size = surface.page_size
    if surface.paging == "page":
        page = Parameter(type="integer", minimum=1, maximum=100000, optional=True, description="Which page, from 1.")
        return {"page": page}, f"LIMIT {size} OFFSET (COALESCE(:page, 1) - 1) * {size}"
    if surface.paging == "offset":
        offset = Parameter(type="integer", minimum=0, maximum=1000000, optional=True, description="How many to leave out at the front.")
        limit = Parameter(type="integer", minimum=1, maximum=size, optional=True, description=f"At most so many; {size} unless given.")
        return {"limit": limit, "offset": offset}, f"LIMIT COALESCE(:limit, {size}) OFFSET COALESCE(:offset, 0)"
    after = Parameter(type="string", max_length=40, optional=True, description="Only those after this id (the last one of the list before).")
    return {"after": after}, f"LIMIT {size}"


def page_condition(surface: Surface) -> str:
    """What a page adds to a list's condition."""
    return " AND (:after IS NULL OR t.id > :after)" if surface.paging == "cursor" else ""
