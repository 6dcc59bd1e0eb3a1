"""Host-side rooms, NumPy only: raw reviews in, packed pages out."""
