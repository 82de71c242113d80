"""The physiotherapist's page: one door (`doors`), a trame server of its own for each browser tab (`tab`), and what the page shows."""
