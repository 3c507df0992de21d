"""`python -m edgekit`."""

from edgekit.start import main

main()
