from django.urls import URLPattern, path

from apps.feedback import reward_api, reward_views

pages: list[URLPattern] = [  # below p/<slug>/
    path("rewards/", reward_views.rewards, name="rewards"),
    path("rewards/rules/", reward_views.reward_rules, name="reward_rules"),
    path("rewards/export/", reward_views.rewards_export, name="rewards_export"),
]
api: list[URLPattern] = [  # below api/v1/projects/<slug>/
    path("rewards/", reward_api.Rewards.as_view(), name="api_rewards"),
    path("rewards/<path:subject>/", reward_api.RewardsOf.as_view(), name="api_rewards_of"),
]
