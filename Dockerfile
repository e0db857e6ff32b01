# The workflow and all that it needs; datasets and results are mounted at /data.
FROM python:3.12-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg unar \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv

WORKDIR /reelset
# Packages first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN UV_PYTHON_DOWNLOADS=never uv sync --frozen --no-dev --no-cache
COPY . .

ENV PATH=/reelset/.venv/bin:$PATH
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/reelset/Snakefile"]
CMD ["--help"]
