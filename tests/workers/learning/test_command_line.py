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


FAST_TRAINING = ["--config", "epochs=12", "learning_rate=0.005", "batch_size=8", "patience=20"]


def test_several_labels_from_a_list_column(tmp_path, toy_encoder, capsys):
    path = tmp_path / "some.jsonl"
    rows = [
        {
            "text": f"{'late ' * (i % 2)}{'broken ' * (i % 3 == 0)}parcel",
            "tags": ["late"] * (i % 2) + ["broken"] * (i % 3 == 0),
        }
        for i in range(60)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    model = str(tmp_path / "model")
    train = ["train", str(path), "--label-col", "tags", "--out", model, "--encoder", toy_encoder]
    assert main([*train, "--method", "full", *FAST_TRAINING, "--device", "cpu"]) == 0
    assert out(capsys)[0]["metrics"]["dev_metric"] == "micro_f1"
    assert main(["predict", str(path), "--model", model]) == 0
    assert out(capsys)[3]["labels"] == ["broken", "late"]
    assert main(["evaluate", str(path), "--label-col", "tags", "--model", model]) == 0
    assert out(capsys)[0]["micro_f1"] > 0.9
    assert main(["sample", str(path), "--label-col", "tags", "--n", "3", *FAST]) == 0


def test_spans_from_a_conll_file(tmp_path, toy_encoder, capsys):
    path = tmp_path / "some.conll"
    names, towns = ["Anna", "Boris", "Clara"], ["New York", "Oslo"]
    blocks = []
    for i in range(60):
        town = towns[i % 2].split()
        words = [(names[i % 3], "B-person"), ("saw", "O"), (town[0], "B-place"), *[(w, "I-place") for w in town[1:]]]
        blocks.append("\n".join(f"{word}\t{tag}" for word, tag in words))
    path.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")
    model = str(tmp_path / "model")
    assert main(["train", str(path), "--out", model, "--encoder", toy_encoder, "--device", "cpu", *FAST_TRAINING]) == 0
    capsys.readouterr()
    assert main(["predict", str(path), "--model", model]) == 0
    assert [(s["quote"], s["label"]) for s in out(capsys)[0]["spans"]] == [("Anna", "person"), ("New York", "place")]
    assert main(["evaluate", str(path), "--model", model]) == 0
    assert out(capsys)[0]["strict_f1"] > 0.9
    unread = tmp_path / "unread.jsonl"
    unread.write_text("\n".join(json.dumps({"text": f"Anna saw {i}", "spans": None}) for i in range(9)))
    assert (
        main(["sample", str(unread), "--label-col", "spans", "--task", "spans", "--model", model, "--n", "2", *FAST])
        == 0
    )
    assert len(out(capsys)) == 2


def test_two_models_become_one(file, tmp_path, capsys):
    models = [str(tmp_path / name) for name in ("one", "two")]
    for i, model in enumerate(models):
        train = ["train", str(file), "--label-col", "label", "--out", model, *FAST]
        assert main([*train, "--config", f"c={10 * (i + 1)}"]) == 0
    both = str(tmp_path / "both")
    assert main(["compress", "ensemble", *models, "--out", both, "--texts", str(file)]) == 0
    assert main(["predict", str(file), "--model", both]) == 0
    assert out(capsys)[-1]["label"] == "card"


@pytest.mark.parametrize(
    ("name", "content", "options", "word"),
    [
        ("a.jsonl", '{"text": "x", "y": [[3, 1, "a"]]}', ["--label-col", "y"], "lists of spans"),
        ("a.jsonl", '{"text": "x", "y": "a"}', ["--label-col", "y", "--task", "multi"], "lists of labels"),
        ("a.conll", "word\nother O", [], "no tag"),
        ("a.conll", "", [], "holds no texts"),
        ("a.csv", "text,y\na,b", ["--label-col", "y", "--config", "epochs"], "KEY=VALUE"),
        ("a.csv", "text,y\na,b\nc,d", ["--label-col", "y", "--method", "full", "--config", "epochs=x"], "a number"),
    ],
)
def test_files_and_settings_that_make_no_sense_are_refused_in_words(tmp_path, capsys, name, content, options, word):
    (tmp_path / name).write_text(content)
    assert main(["train", str(tmp_path / name), *options, "--out", str(tmp_path / "m")]) == 1
    assert word in capsys.readouterr().err


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
