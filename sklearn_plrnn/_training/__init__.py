"""How it is learned: batches, optimizers and the loop that keeps the best parameters so far."""
