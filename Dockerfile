# The local server and the DynamoDB behind it, for `docker compose up`. podman builds it too; the base images are arguments.
ARG BASE=python:3.13-slim
ARG DYNAMODB=amazon/dynamodb-local:latest
ARG NODE=node:22-slim

# DynamoDB Local, with a folder for its data that its own user may write to.
FROM ${DYNAMODB} AS dynamodb
USER root
RUN mkdir -p /data && chown 1000 /data
USER 1000

# htmx for the console: the version and the digest stand in fetch_htmx.py.
FROM ${NODE} AS htmx
WORKDIR /htmx
COPY functions/console/fetch_htmx.py .
RUN version=$(sed -n 's/^VERSION.*"\(.*\)"$/\1/p' fetch_htmx.py) digest=$(sed -n 's/^SHA256.*"\(.*\)"$/\1/p' fetch_htmx.py) \
  && npm pack --silent "htmx.org@$version" && tar -xzf *.tgz && echo "$digest  package/dist/htmx.min.js" | sha256sum -c

FROM ${BASE} AS build
WORKDIR /app
COPY . .
COPY --from=htmx /htmx/package/dist/htmx.min.js functions/console/static/
# What the functions have is locked; the rest is the local server's.
RUN python3 -m venv /opt/venv \
  && sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' layers/dependencies/requirements.txt functions/console/requirements.txt > /tmp/locked.txt \
  && /opt/venv/bin/pip install --quiet --no-cache-dir --constraint /tmp/locked.txt --editable '.[serve]' \
  && /opt/venv/bin/pip uninstall --quiet --yes pip

FROM ${BASE} AS api
RUN useradd --system --uid 10001 --no-create-home identity-os && mkdir /data && chown 10001 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
# Keys of the local accounts go to /data; the database is another container's.
ENV HOST=0.0.0.0 PORT=8000 DYNAMODB=http://dynamodb:8000 IDENTITY_OS_LOCAL=/data PYTHONUNBUFFERED=1
ENV ISSUER_HOST=0.0.0.0 ISSUER_PORT=8010
EXPOSE 8000 8010
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["/opt/venv/bin/python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/v1/health', timeout=2)"]
CMD ["/opt/venv/bin/python", "-m", "local"]
