"""One file per thing that can happen: which rows it needs, and how it decides. Pure, like the domain."""
