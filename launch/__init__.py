"""The commands: train, evaluate, predict."""
