"""The one DynamoDB table. Does not depend on HTTP; raises `StoreUnavailable` and `Conflict`.

dynamodb      the client: calls, retries, translation of errors
accounts      accounts, keys
usage         an account's requests in the minute and cycles in the month
instances     heads: create, read, list, delete
commits       changes of a head: optimistic concurrency, and the handling of writes with an unknown outcome
audit_trail   an instance's audit records, history and drift events
idempotency   stored responses of requests with an Idempotency-Key
outbox        events of what has no audit record
webhooks      webhooks and their deliveries
reconcile     finds cycles that were reserved and never processed
purge         removes the items of deleted instances
"""
