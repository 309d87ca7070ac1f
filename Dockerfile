# The program by itself: static, with its two small models, for n2g submit kubernetes and wherever else an image is wanted.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 GOEXPERIMENT=simd go build -trimpath -ldflags='-s -w' -o /n2g ./cmd/n2g

FROM scratch
COPY --from=build /n2g /n2g
ENTRYPOINT ["/n2g"]
