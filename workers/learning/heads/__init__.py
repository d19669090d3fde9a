"""Linear models on cached vectors: what is refitted after every few labels. numpy and scipy only."""

from .multinomial import Head, calibrated, fit, fit_temperature, softmax, temperature

__all__ = ["Head", "calibrated", "fit", "fit_temperature", "softmax", "temperature"]
