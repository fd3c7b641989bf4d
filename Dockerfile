# A server of a finished run, or of the starter: docs/serve.md says how it is started.
FROM python:3.12.7-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY alexnet_tf alexnet_tf
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[serve,litert,heic]"

FROM python:3.12.7-slim-bookworm
COPY --from=build /venv /venv
# All that is written goes to /tmp, so that the rest can be read-only.
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin alexnet
USER 10001
WORKDIR /srv
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
  "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "alexnet_tf", "serve", "--host", "0.0.0.0"]
