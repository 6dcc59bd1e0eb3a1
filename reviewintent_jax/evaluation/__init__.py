"""One table of predictions in; metrics, calibration and reports out."""
