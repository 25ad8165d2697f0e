"""An example resource: every caller reads, callers with `write:widgets` create and delete."""

import uuid
from functools import partial
from typing import Annotated

from fastapi import FastAPI, HTTPException, Request, Security
from pydantic import BaseModel, Field

from app.auth import Principal, bearer, fresh_bearer
from app.auth.errors import REFUSALS

MAX_WIDGETS = 1000


class NewWidget(BaseModel):
    """What a caller says about a widget."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Widget(NewWidget):
    """A widget with the id it was given."""

    id: str


class WidgetList(BaseModel):
    """All widgets, and who asked for them."""

    widgets: list[Widget]
    user: str


class Widgets:
    """The widgets of this process, in memory: the newest `MAX_WIDGETS` of them."""

    def __init__(self) -> None:
        self._by_id: dict[str, Widget] = {}

    def all(self) -> list[Widget]:
        """Return the widgets, oldest first."""
        return list(self._by_id.values())

    def add(self, new: NewWidget) -> Widget:
        """Keep a widget, in place of the oldest when there is no room."""
        widget = Widget(id=str(uuid.uuid4()), name=new.name)
        if len(self._by_id) >= MAX_WIDGETS:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[widget.id] = widget
        return widget

    def remove(self, widget_id: str) -> bool:
        """Forget a widget. Returns whether there was one of that id."""
        return self._by_id.pop(widget_id, None) is not None


def stored_widgets(request: Request) -> Widgets:
    """Return the widgets of the application that got `request`."""
    widgets: Widgets = request.app.state.widgets
    return widgets


async def list_widgets(
    request: Request, principal: Annotated[Principal, Security(bearer)]
) -> WidgetList:
    """List the widgets for any caller with a valid token."""
    return WidgetList(widgets=stored_widgets(request).all(), user=principal.subject)


async def create_widget(new: NewWidget, request: Request) -> Widget:
    """Create a widget for a caller with the scope `write:widgets`."""
    return stored_widgets(request).add(new)


async def delete_widget(widget_id: str, request: Request) -> None:
    """Delete a widget for a caller with the scope `write:widgets`."""
    if not stored_widgets(request).remove(widget_id):
        raise HTTPException(404, "Widget not found")


def add_routes(app: FastAPI) -> None:
    """Add the routes of widgets to `app`."""
    add = partial(app.add_api_route, tags=["widgets"], responses=REFUSALS)
    add("/widgets", list_widgets)
    add(
        "/widgets",
        create_widget,
        methods=["POST"],
        status_code=201,
        dependencies=[Security(bearer, scopes=["write:widgets"])],
    )
    add(
        "/widgets/{widget_id}",
        delete_widget,
        methods=["DELETE"],
        status_code=204,
        dependencies=[Security(fresh_bearer, scopes=["write:widgets"])],
    )
