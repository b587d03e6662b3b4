"""Compiled log-likelihoods with their gradients, one file a family, arrays only."""
