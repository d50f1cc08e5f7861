"""The cost export, held against the books of a store that lived."""
