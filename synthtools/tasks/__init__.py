"""Tasks made by execution: jobs drawn in a world, requests in words, reference solutions found by looking things up."""
