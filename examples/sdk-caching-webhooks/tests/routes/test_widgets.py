"""YOURS. The example: who may read, create and delete widgets."""

import pytest
from starlette.testclient import TestClient

from tests.conftest import CallAs

WRITE = ["write:widgets"]


def test_any_caller_reads(client: TestClient, as_user: CallAs) -> None:
    response = as_user("anna").get("/widgets")

    assert response.json() == {"widgets": [], "user": "anna"}
    assert client.get("/widgets").status_code == 401


def test_writer_creates_and_deletes(as_user: CallAs, as_machine: CallAs) -> None:
    writer = as_machine("batch", scopes=WRITE)
    created = writer.post("/widgets", json={"name": "lever \u202e \U0001f511 '\\<b>"})
    path = f"/widgets/{created.json()['id']}"
    listed = as_user("anna").get("/widgets").json()["widgets"]
    deletions = [writer.delete(path) for _ in range(2)]

    assert created.status_code == 201
    assert created.json()["name"] == "lever \u202e \U0001f511 '\\<b>"
    assert listed == [created.json()]
    assert [each.status_code for each in deletions] == [204, 404]


@pytest.mark.parametrize("scopes", [[], ["read:widgets"]])
def test_other_callers_change_nothing(as_user: CallAs, scopes: list[str]) -> None:
    """The scope is checked before the id is looked up."""
    caller = as_user("anna", scopes=scopes)

    assert caller.post("/widgets", json={"name": "lever"}).status_code == 403
    assert caller.delete("/widgets/unknown").status_code == 403


@pytest.mark.parametrize("widget_id", ["0", "a b", "%00", "..%2F..", "%F0%9F%94%91", "x" * 4000])
def test_unknown_id_is_not_found(as_user: CallAs, widget_id: str) -> None:
    assert as_user("anna", scopes=WRITE).delete(f"/widgets/{widget_id}").status_code == 404


@pytest.mark.parametrize("name", ["", "x" * 101, 1, None])
def test_wrong_name_is_refused(as_user: CallAs, name: object) -> None:
    assert as_user("anna", scopes=WRITE).post("/widgets", json={"name": name}).status_code == 422


def test_oldest_widgets_are_dropped(as_user: CallAs, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in memory, so their number is limited."""
    monkeypatch.setattr("app.routes.widgets.MAX_WIDGETS", 2)
    writer = as_user("anna", scopes=WRITE)
    for name in "abc":
        writer.post("/widgets", json={"name": name})

    assert [each["name"] for each in writer.get("/widgets").json()["widgets"]] == ["b", "c"]


def test_document_names_the_scopes(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert paths["/widgets"]["get"]["security"] == [{"bearer": []}]
    assert paths["/widgets"]["post"]["security"] == [{"bearer": WRITE}]
    assert paths["/widgets/{widget_id}"]["delete"]["security"] == [{"bearer": WRITE}]
