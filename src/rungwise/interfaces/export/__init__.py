"""A trained predictor for programs without rungwise: a file, its proof, and its model card."""
