"""Cloud side: from recordings to trained weights and their report."""
