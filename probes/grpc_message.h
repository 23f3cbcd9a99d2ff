/* What a gRPC health check says and hears (grpc.health.v1, health.proto), without HTTP/2: a
 * message is one byte (compressed?), its length in four bytes, and a protobuf of one field.
 * Pure; owns nothing. */
#ifndef SINIT_PROBES_GRPC_MESSAGE_H
#define SINIT_PROBES_GRPC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
	GRPC_PREFIX = 5,
	GRPC_SERVICE = 512, /* longest name of a service asked for */
	GRPC_REQUEST = GRPC_PREFIX + 3 + GRPC_SERVICE,
	GRPC_SERVING = 1, /* ServingStatus that passes */
};

/* HealthCheckRequest for `service` ("" for the server as a whole) into buffer[GRPC_REQUEST].
 * Returns its bytes; -ENAMETOOLONG. */
int grpc_request(const char *service, uint8_t *buffer);

/* The ServingStatus of a HealthCheckResponse with its prefix; fields that are not known are
 * passed over, and one that is not there is 0, as protobuf says. 0, or -EPROTO. */
int grpc_response(const uint8_t *bytes, size_t size, int32_t *ret_status);

#endif
