from django.urls import URLPattern, path

from apps.explore import map_api, map_views

pages: list[URLPattern] = [
    path("map/", map_views.map_page, name="map"),
    path("map/points", map_views.map_points_file, name="map_points"),
    path("map/point/", map_views.map_point, name="map_point"),
    path("map/draw/", map_views.map_draw, name="map_draw"),
]
api: list[URLPattern] = [path("map/", map_api.MapApi.as_view(), name="api_map")]
