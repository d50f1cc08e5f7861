"""The projects in folders here are run by pytest processes of their own, as strangers run them."""

collect_ignore = ["pool", "recipes"]
