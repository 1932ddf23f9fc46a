"""A sentence-transformers model on this machine: tokens ahead, batches, copies of the model, packed attention."""
