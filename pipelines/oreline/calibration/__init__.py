"""Calibration: what other ceilings would make of the candidates that a run stored. No encoder, search or call."""
