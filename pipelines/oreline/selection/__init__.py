"""Selection: who may be a positive, who may be a negative, and which negatives a row gets. No Beam here."""
