from apps.trends import alarm_urls, dashboard_urls, trend_urls

_PARTS = (dashboard_urls, trend_urls, alarm_urls)
pages = [page for part in _PARTS for page in part.pages]
api = [twin for part in _PARTS for twin in part.api]
