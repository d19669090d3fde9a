from django.urls import URLPattern, path

from apps.trends import alarm_api, alarm_views

pages: list[URLPattern] = [
    path("alarms/", alarm_views.alarms, name="alarms"),
    path("alarms/<int:pk>/", alarm_views.alarm, name="alarm"),
    path("alarms/<int:pk>/acknowledge/", alarm_views.alarm_acknowledge, name="alarm_acknowledge"),
    path("alarms/<int:pk>/snooze/", alarm_views.alarm_snooze, name="alarm_snooze"),
    path("alarms/<int:pk>/close/", alarm_views.alarm_close, name="alarm_close"),
    path("alarms/rules/<int:pk>/remove/", alarm_views.alarm_rule_remove, name="alarm_rule_remove"),
]
api: list[URLPattern] = [
    path("alarms/", alarm_api.AlarmsApi.as_view(), name="api_alarms"),
    path("alarms/<int:pk>/", alarm_api.AlarmApi.as_view(), name="api_alarm"),
    path("alarms/rules/", alarm_api.RulesApi.as_view(), name="api_alarm_rules"),
    path("alarms/rules/<int:pk>/", alarm_api.RuleApi.as_view(), name="api_alarm_rule"),
]
