from apps.feedback import behaviour_urls, intake_urls, reward_urls, ticket_urls, triage_urls

_PARTS = (intake_urls, ticket_urls, triage_urls, behaviour_urls, reward_urls)
pages = [page for part in _PARTS for page in part.pages]
api = [twin for part in _PARTS for twin in part.api]
site = intake_urls.site
site_api = intake_urls.site_api
