"""What the delivery of events needs: addresses, secrets, signatures, the request itself, the queue. The items are in `store`.

hooks        create, change, delete, rotate, test, deliver again
addresses    which URLs a webhook may have, and which addresses are connected to
sealing      encrypts the secrets of webhooks
sending      one signed POST, to an address that was looked up once
messages     what an event becomes on its way: payload, webhook-id, message
queue        the queue between fan-out and delivery
"""
