"""The rows: `MUTATIONS` of each module, which is named after the subject or the mode."""
