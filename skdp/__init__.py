"""Tables of personal data, made safe to share and to train on, as scikit-learn steps."""

__version__ = "0.1.0"
