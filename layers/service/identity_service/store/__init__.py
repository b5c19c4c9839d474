"""The one DynamoDB table (spec/architecture.md, "The table"). Knows no HTTP; raises `StoreUnavailable` and `Conflict`.

table      the seam: five calls and the translation of failures
accounts   accounts, keys
usage      the minute's requests and the month's cycles of an account
instances  heads: create, read, list, change, delete
ledger     what happened to an instance: commits, history, drift events
"""
