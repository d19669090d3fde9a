import json

import pytest

from workers.learning.__main__ import main

FAST = ["--encoder", "char-ngrams"]


@pytest.fixture
def file(tmp_path, toys):
    path = tmp_path / "toys.csv"
    names = ["transfer", "card"]
    path.write_text("text,label\n" + "".join(f"{e.text},{names[e.label]}\n" for e in toys), encoding="utf-8-sig")
    return path


def out(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_train_predict_and_evaluate_without_a_database(file, tmp_path, capsys):
    model = str(tmp_path / "model")
    assert main(["train", str(file), "--label-col", "label", "--out", model, *FAST]) == 0
    assert len(out(capsys)[0]["digest"]) == 64
    assert main(["evaluate", str(file), "--label-col", "label", "--model", model]) == 0
    assert out(capsys)[0]["accuracy"] == 1.0
    assert main(["predict", str(file), "--model", model]) == 0
    predicted = out(capsys)
    assert [p["label"] for p in predicted[:2]] == ["transfer", "card"]
    assert len(predicted) == 32


def test_sample_names_rows_without_a_label(tmp_path, capsys):
    path = tmp_path / "some.jsonl"
    rows = [
        {"t": f"row {i} about {'cards' if i % 2 else 'transfers'}", "l": "ab"[i % 2] if i < 6 else ""}
        for i in range(40)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert main(["sample", str(path), "--text-col", "t", "--label-col", "l", "--n", "10", *FAST]) == 0
    chosen = out(capsys)
    assert len({c["row"] for c in chosen}) == 10
    assert all(c["row"] >= 6 for c in chosen)
    assert {c["reason"] for c in chosen} == {"uncertain", "random"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["train", "FILE", "--label-col", "nothing"], "no column"),
        (["train", "FILE"], "--label-col"),
        (["predict", "FILE", "--model", "nowhere"], "no model"),
        (["predict", "nowhere.csv", "--model", "nowhere"], "cannot be read"),
    ],
)
def test_mistakes_are_answered_in_words(file, capsys, arguments, word):
    assert main([str(file) if a == "FILE" else a for a in arguments]) == 1
    assert word in capsys.readouterr().err
