from apps.quality import adjudication_urls, agreement_urls, gold_urls, people_urls, review_urls, suspect_urls

_PARTS = (agreement_urls, adjudication_urls, gold_urls, review_urls, suspect_urls, people_urls)
pages = [page for part in _PARTS for page in part.pages]
api = [twin for part in _PARTS for twin in part.api]
