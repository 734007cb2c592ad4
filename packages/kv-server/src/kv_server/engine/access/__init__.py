"""Who may: users with their rules, tokens, logins, and what was refused."""
