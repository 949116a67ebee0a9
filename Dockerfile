# An image that holds the program and nothing else; copy it out of there into yours:
#
#     COPY --from=containerpilot /containerpilot /containerpilot
#
# or mount a configuration: docker run -v $PWD/containerpilot.json5:/etc/containerpilot.json5 containerpilot

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# What -version tells beside the version.
ARG CONTAINERPILOT_GIT_HASH=
# The target has the machine's name in its path; the image does not.
RUN cargo build --locked --release && cp target/*/release/containerpilot /containerpilot

FROM scratch
COPY --from=build /containerpilot /containerpilot
ENV CONTAINERPILOT=/etc/containerpilot.json5
ENTRYPOINT ["/containerpilot"]
