from apps.explore import list_urls, map_urls, similar_urls

_PARTS = (list_urls, map_urls, similar_urls)
pages = [page for part in _PARTS for page in part.pages]
api = [twin for part in _PARTS for twin in part.api]
