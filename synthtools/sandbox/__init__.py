"""Tools run in hardened Docker containers: for code that nobody vouches for."""
