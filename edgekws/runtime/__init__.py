"""The device at work: from blocks of audio to detections, and everything that proves it right."""
