"""The pages, in a folder for each subject."""
