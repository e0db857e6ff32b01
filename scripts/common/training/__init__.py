"""Training: videos with their classes, clips of them, losses, the loop."""
