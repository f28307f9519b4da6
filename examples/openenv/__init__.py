"""A domain of the catalogue, packaged as an OpenEnv environment."""
