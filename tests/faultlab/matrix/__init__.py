"""The matrix: every operation, stopped at every seam, hit by every fault that makes sense there, in both twins."""
