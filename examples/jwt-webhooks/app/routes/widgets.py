"""YOURS. An example: every caller reads, callers with `write:widgets` create and delete.

To delete it, delete this file and `tests/routes/test_widgets.py`, and take its router out of
`app/extensions.py`.
"""

import uuid
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Security
from pydantic import BaseModel, Field

from app.auth import Principal, bearer, fresh_bearer
from app.auth.errors import REFUSALS, Refusal

MAX_WIDGETS = 1000
NOT_FOUND = {"model": Refusal, "description": "There is no such widget"}

router = APIRouter(prefix="/widgets", tags=["widgets"], responses=REFUSALS)


class NewWidget(BaseModel):
    """What a caller says about a widget."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Widget(NewWidget):
    """A widget with its id."""

    id: str


class WidgetList(BaseModel):
    """All widgets, the oldest first, and the subject of the token."""

    widgets: list[Widget]
    user: str


def widgets_of(request: Request) -> dict[str, Widget]:
    """Return the widgets of this process, by id. They are gone when it ends."""
    state = request.app.state
    if not hasattr(state, "widgets"):
        state.widgets = {}
    widgets: dict[str, Widget] = state.widgets
    return widgets


@router.get("")
async def list_widgets(
    request: Request, principal: Annotated[Principal, Security(bearer)]
) -> WidgetList:
    """List the widgets for any caller with a valid token."""
    return WidgetList(widgets=list(widgets_of(request).values()), user=principal.subject)


@router.post("", status_code=201, dependencies=[Security(bearer, scopes=["write:widgets"])])
async def create_widget(request: Request, new: NewWidget) -> Widget:
    """Create a widget for a caller with the scope `write:widgets`."""
    widgets = widgets_of(request)
    if len(widgets) >= MAX_WIDGETS:
        del widgets[next(iter(widgets))]
    widget = Widget(id=str(uuid.uuid4()), name=new.name)
    widgets[widget.id] = widget
    return widget


# Deleting cannot be taken back, so the token is verified now.
@router.delete(
    "/{widget_id}",
    status_code=204,
    responses={404: NOT_FOUND},
    dependencies=[Security(fresh_bearer, scopes=["write:widgets"])],
)
async def delete_widget(request: Request, widget_id: str) -> None:
    """Delete a widget for a caller with the scope `write:widgets`."""
    if widgets_of(request).pop(widget_id, None) is None:
        raise HTTPException(404, "Widget not found")
