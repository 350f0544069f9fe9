"""Thresholds on a person's own recordings: chosen, measured with their uncertainty, pictured."""
