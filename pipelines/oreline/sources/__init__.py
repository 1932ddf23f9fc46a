"""Sources: what lies where, and how each format becomes documents, queries and pairs. No Beam here."""
