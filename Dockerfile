# The workflow and all that it needs; datasets and results are mounted at /data.
FROM python:3.12-slim-bookworm

# Debian keeps no older versions, so that none can be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg unar \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir "uv==0.*"

WORKDIR /reelset
# Packages first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN UV_PYTHON_DOWNLOADS=never uv sync --frozen --no-dev --no-cache
COPY . .

# With `--user` there is neither home nor name; Snakemake wants both.
ENV PATH=/reelset/.venv/bin:$PATH HOME=/tmp USER=reelset
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/reelset/Snakefile"]
CMD ["--help"]
