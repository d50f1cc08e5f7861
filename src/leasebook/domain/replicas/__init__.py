"""What is to run on an instance: the planner, and which engine runs it and may."""
