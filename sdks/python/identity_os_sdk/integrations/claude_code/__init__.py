"""Claude Code: the guard as hooks of its settings, `identity-os-guard hook`. docs/integrations/claude-code.md.

`client` is what Claude Code runs for each event: a file of its own that imports next to nothing. It asks `daemon`, which keeps
Python warm and nothing else; what is known of a session is in a file (`session`). `events` says what each event means,
`tools` which action each of Claude Code's tools is, and `shell` which commands only read. `settings` writes the hooks into
Claude Code's settings.
"""
