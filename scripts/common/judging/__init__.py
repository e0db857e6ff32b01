"""How good models and features are: scores, figures, charts."""
