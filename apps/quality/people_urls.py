from django.urls import URLPattern, path

from apps.quality import people_api, people_views

pages: list[URLPattern] = [
    path("people-work/", people_views.people_work, name="people_work"),
    path("people-work.csv", people_views.people_work_csv, name="people_work_csv"),
    path("my-work/", people_views.my_work, name="my_work"),
]
api: list[URLPattern] = [
    path("people-work/", people_api.PeopleWork.as_view(), name="api_people_work"),
    path("my-work/", people_api.MyWork.as_view(), name="api_my_work"),
]
