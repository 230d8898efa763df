"""reports/paper.pdf: an article whose every number its template reads from the tracked files."""
