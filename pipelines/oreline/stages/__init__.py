"""The stages: one Beam transform each, wiring only. `catalog` says what each reads, writes and depends on."""
