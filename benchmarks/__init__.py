"""Speed, as ratios to a probe of the same run: `make bench`. Results are committed in `results/`."""
