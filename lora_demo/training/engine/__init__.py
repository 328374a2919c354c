"""What the loop is made of: processes, optimizers, schedule, order of rows, checkpoints, metrics, ways to end."""
