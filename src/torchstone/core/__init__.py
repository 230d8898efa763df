"""Layer 0: params, random streams, files, the stage contract. Knows nothing of learning."""
