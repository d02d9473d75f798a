"""From files of a user's own samples to amplification factors and a report."""
