"""The one DynamoDB table. Knows no HTTP; raises `StoreUnavailable` and `Conflict`.

dynamodb      the client: five calls and the translation of failures
accounts      accounts, keys
usage         the minute's requests and the month's cycles of an account
instances     heads: create, read, list, delete
commits       how a head changes: optimistic concurrency, and what happens when a write gets no answer
audit_trail   what happened to an instance: audit records, history, drift events
idempotency   stored answers of requests with an Idempotency-Key
reconcile     finds cycles that were reserved and never processed
purge         removes what deleted instances left behind
"""
