"""How good a model is, by figures and sheets: ``python -m bot evaluate MODEL --data FOLDER``."""
