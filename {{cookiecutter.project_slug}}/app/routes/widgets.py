"""YOURS. An example: every caller reads, callers with `write:widgets` create and delete.

To delete it, delete this file and `tests/routes/test_widgets.py`, and take its router out of
`app/extensions.py`.
"""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Security
from pydantic import BaseModel, Field

from app.auth import Principal, bearer, fresh_bearer
from app.auth.errors import REFUSALS

MAX_WIDGETS = 1000

router = APIRouter(prefix="/widgets", tags=["widgets"], responses=REFUSALS)


class NewWidget(BaseModel):
    """What a caller says about a widget."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Widget(NewWidget):
    """A widget with its id."""

    id: str


class WidgetList(BaseModel):
    """All widgets, and the subject of the token."""

    widgets: list[Widget]
    user: str


class Widgets:
    """The widgets of this process, in memory: the newest `MAX_WIDGETS` of them."""

    def __init__(self) -> None:
        self._by_id: dict[str, Widget] = {}

    def all(self) -> list[Widget]:
        """Return the widgets, the oldest first."""
        return list(self._by_id.values())

    def add(self, new: NewWidget) -> Widget:
        """Store a widget. If there are too many, delete the oldest."""
        widget = Widget(id=str(uuid.uuid4()), name=new.name)
        if len(self._by_id) >= MAX_WIDGETS:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[widget.id] = widget
        return widget

    def remove(self, widget_id: str) -> bool:
        """Delete a widget. Return whether there was one."""
        return self._by_id.pop(widget_id, None) is not None


async def stored_widgets(request: Request) -> Widgets:
    """Return the widgets of the application."""
    state = request.app.state
    if not hasattr(state, "widgets"):
        state.widgets = Widgets()
    widgets: Widgets = state.widgets
    return widgets


StoredWidgets = Annotated[Widgets, Depends(stored_widgets)]


@router.get("")
async def list_widgets(
    widgets: StoredWidgets, principal: Annotated[Principal, Security(bearer)]
) -> WidgetList:
    """List the widgets for any caller with a valid token."""
    return WidgetList(widgets=widgets.all(), user=principal.subject)


@router.post("", status_code=201, dependencies=[Security(bearer, scopes=["write:widgets"])])
async def create_widget(new: NewWidget, widgets: StoredWidgets) -> Widget:
    """Create a widget for a caller with the scope `write:widgets`."""
    return widgets.add(new)


# Deleting cannot be taken back, so the token is verified now.
@router.delete(
    "/{widget_id}",
    status_code=204,
    dependencies=[Security(fresh_bearer, scopes=["write:widgets"])],
)
async def delete_widget(widget_id: str, widgets: StoredWidgets) -> None:
    """Delete a widget for a caller with the scope `write:widgets`."""
    if not widgets.remove(widget_id):
        raise HTTPException(404, "Widget not found")
