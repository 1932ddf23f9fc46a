"""Comparison: what two outputs differ in, stage by stage and row by row, and why."""
