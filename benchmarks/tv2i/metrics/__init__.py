"""What is measured of a result: small classes with one interface, each with its source."""
