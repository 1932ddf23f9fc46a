"""What people read: fates, triples, any table, the state of the machine."""
