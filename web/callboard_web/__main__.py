"""`python -m callboard_web` is the `callboard` program."""

from callboard_web.cli import main

if __name__ == "__main__":
    main()
