"""Pure Flax linen modules: no placement, no config library, no data imports."""
