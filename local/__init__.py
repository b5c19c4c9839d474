"""Runs the deployed functions on this machine: the API's edge in front of them, a DynamoDB behind.

Not a second implementation: the same apps, the same authorizer, the same purge; paths, table and gateway answers come from
template.yaml. Imports the service; nothing imports it.
"""
