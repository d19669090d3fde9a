from django.middleware.locale import LocaleMiddleware


class PersonalLocaleMiddleware(LocaleMiddleware):
    pass
