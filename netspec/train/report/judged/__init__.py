"""The judgement of a trained network: confusions, calibration, and the worst mistakes."""
