"""`python -m resrank`."""

from resrank.cli import main

main()
