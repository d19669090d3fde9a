from apps.content.guess import guess_mapping


def test_english_names_are_understood() -> None:
    columns = ["ID", "Utterance", "Intent", "set", "lang", "user_id", "predicted label", "confidence", "channel"]
    assert guess_mapping(columns) == {
        "text": "Utterance",
        "external_id": "ID",
        "label": "Intent",
        "split": "set",
        "language": "lang",
        "subject": "user_id",
        "prediction": "predicted label",
        "score": "confidence",
        "meta": ["channel"],
    }


def test_chinese_names_are_understood() -> None:
    guessed = guess_mapping(["编号", "评论", "标签", "语言", "用户", "预测", "置信度"])
    assert guessed["text"] == "评论"
    assert (guessed["external_id"], guessed["label"]) == ("编号", "标签")
    assert (guessed["prediction"], guessed["score"]) == ("预测", "置信度")


def test_without_a_known_name_the_longest_cells_are_the_text() -> None:
    guessed = guess_mapping(["a", "b", "c"], [["1", "I am still waiting", "x"], ["2", "Where is my card", "y"]])
    assert guessed == {"text": "b", "meta": ["a", "c"]}


def test_a_score_without_a_prediction_stays_metadata() -> None:
    assert guess_mapping(["text", "score"]) == {"text": "text", "meta": ["score"]}
