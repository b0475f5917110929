"""`python -m sow` is `sow`."""

from sow.cli.entry import run

if __name__ == "__main__":
    run()
