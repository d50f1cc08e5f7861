"""One record for each operation of the action table, from which the tests of all actions are derived."""
