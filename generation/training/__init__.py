"""Training of the weights that ship in generation/starter."""
