import json
import os
import urllib.request
import uuid

MARGINALIA = os.environ["MARGINALIA_URL"]  # http://127.0.0.1:8000
TOKEN = os.environ["MARGINALIA_TOKEN"]  # mg_…, made under You → API tokens with the scope “predict”
KEY = os.environ["MARGINALIA_KEY"]  # mk_sec_…, made under Settings → Feedback keys


def post(path: str, body: dict, bearer: str) -> dict:
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    request = urllib.request.Request(MARGINALIA + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


question = {"text": "I still have not got my new card", "subject": "customer-17"}
asked = {"items": [question], "consent": True}  # without consent only a hash of the text is kept
prediction = post("/api/v1/projects/bank-questions/predict", asked, TOKEN)["results"][0]
print(prediction["label"], prediction["confidence"])

# the id is made once: sent again after a lost answer, the event is stored once
event = {"id": str(uuid.uuid4()), "kind": "thumb", "up": False, "prediction": prediction["id"]}
event |= {"subject": "customer-17", "consent": True, "comment": "It should know my card is late"}
print(post("/api/v1/feedback", event, KEY))
