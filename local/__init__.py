"""The local server: runs the deployed functions behind a local replacement of API Gateway and a local DynamoDB.

It is not a second implementation: it uses the same apps, authorizer and purge, and reads routes, table and gateway responses
from template.yaml. This package imports the functions and the service; no deployed code imports it.
"""
