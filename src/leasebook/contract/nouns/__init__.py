"""One file for each noun: its requests and results, what each field means, and its rows of the action table.

A row has an example of the request and of the answer. ``contract/actions.py`` puts the rows of all nouns together.
"""
