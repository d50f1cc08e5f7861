"""Files for people and other programs: CSV tables and cost exports."""
