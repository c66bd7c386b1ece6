"""REST under `/api/v1`, for other programs. Its shape is fixed by the design; `docs/reference/api.md` is held to it."""
