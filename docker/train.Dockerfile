# Training: docker build -f docker/train.Dockerfile -t edgekit-train .
# docker run --rm -v "$PWD:/work" edgekit-train run --data my-signs.npz
FROM python:3.11-slim
# An index that holds PyTorch's CPU build, where pip's own choice would be the CUDA one.
ARG TORCH_INDEX=
WORKDIR /src
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.8,<2.14"
COPY pyproject.toml README.md LICENSE ./
COPY edgekit edgekit
COPY profiles profiles
RUN pip install --no-cache-dir ".[train,tune]"
WORKDIR /work
ENTRYPOINT ["edgekit"]
CMD ["--help"]
