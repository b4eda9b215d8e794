# One image; the command decides: serve (default), migrate, demo.
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -p 8080:8080 -v hub-data:/data IMAGE
#
# Without HUB_DATABASE_URL the hub brings its own PostgreSQL, in /data.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/hub
WORKDIR /src
COPY requirements.lock ./
RUN /opt/hub/bin/pip install --require-hashes -r requirements.lock
COPY . .
RUN /opt/hub/bin/pip install --no-deps . && /opt/hub/bin/pip uninstall --yes pip

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin hub \
    && install --directory --owner hub --group hub --mode 0700 /data
COPY --from=build /opt/hub /opt/hub
ENV PATH=/opt/hub/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HUB_DATA_DIR=/data \
    HUB_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["hub", "health", "--quiet"]
ENTRYPOINT ["hub"]
CMD ["serve"]
