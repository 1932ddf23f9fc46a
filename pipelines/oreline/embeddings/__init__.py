"""The embedding store, and the blocks in which texts reach the encoder."""
