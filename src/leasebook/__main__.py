"""``python -m leasebook`` is the command ``leasebook``."""

from leasebook.cli.main import main

if __name__ == "__main__":
    main()
