# The device: no torch, no onnx. docker build -f docker/device.Dockerfile -t edgekit-device .
# docker run --rm -v "$PWD:/work" edgekit-device bench model.int8.onnx --profile raspberry-pi
FROM python:3.11-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY edgekit edgekit
COPY profiles profiles
RUN pip install --no-cache-dir .
WORKDIR /work
ENTRYPOINT ["edgekit"]
CMD ["--help"]
