"""The `identity-os-guard` command. Each subcommand is a module of its own, imported only when it is asked for."""
