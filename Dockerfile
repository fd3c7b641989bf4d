# A server of a finished run, or of the starter: docs/serve.md says how it is started.
#
#   docker build -t alexnet_tf-serve .                       everything
#   docker build --target small -t alexnet_tf-serve-small .  predicts by LiteRT, without TensorFlow
#
# BASE: an image with Python 3.11 to 3.13 as python3, venv included.
ARG BASE=python:3.12.7-slim-bookworm

FROM $BASE AS sources
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY alexnet_tf/__init__.py alexnet_tf/

# What is needed is installed first, and not again when only the program has changed. The root of a
# container is read-only, so the starter's LiteRT file is made here.
FROM sources AS build
RUN python3 -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[serve,litert,heic]"
COPY alexnet_tf alexnet_tf
RUN /venv/bin/pip install --no-cache-dir --force-reinstall --no-deps . \
 && cd / && /venv/bin/python -c "from alexnet_tf.inference.engine import Engine; \
      from alexnet_tf.runs.run import STARTER_RUN; Engine.of_run(STARTER_RUN).write_litert()"

FROM sources AS build-small
COPY deploy/serve-small.txt deploy/
RUN python3 -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --no-compile --constraint constraints.txt \
      --requirement deploy/serve-small.txt
COPY alexnet_tf alexnet_tf
COPY --from=build /venv/lib/python3*/site-packages/alexnet_tf/starter/model.tflite /
RUN /venv/bin/pip install --no-cache-dir --no-compile --no-deps . \
 && cp /model.tflite /venv/lib/python3*/site-packages/alexnet_tf/starter/

# All that is written goes to /tmp, so that the rest can be read-only.
FROM $BASE AS serve
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin alexnet
USER 10001
WORKDIR /srv
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
  "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "alexnet_tf", "serve", "--host", "0.0.0.0"]

FROM serve AS small
COPY --from=build-small /venv /venv

FROM serve
COPY --from=build /venv /venv
