"""Listening as a service to others: audio comes over the network, and detections go back."""
