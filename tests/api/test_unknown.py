from django.test import Client


def test_an_unknown_address_of_the_api_answers_in_json_and_a_page_in_html(client: Client, db: None) -> None:
    told = client.get("/api/v1/nothing/")
    assert told.status_code == 404
    assert told.headers["Content-Type"] == "application/json"
    assert "/api/v1/schema/" in told.json()["detail"]
    shown = client.get("/nothing/")
    assert shown.status_code == 404
    assert shown.headers["Content-Type"].startswith("text/html")
