"""What a run would cost, before it costs anything: calls, tokens, dollars and time, as ranges. Spends nothing."""
