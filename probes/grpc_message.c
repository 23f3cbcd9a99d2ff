#include "probes/grpc_message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum { FIELD_SERVICE = 1, FIELD_STATUS = 1 };

struct reader {
	const uint8_t *at, *end;
};

int grpc_request(const char *service, uint8_t *buffer)
{
	size_t length = strlen(service);
	uint8_t *at = buffer + GRPC_PREFIX;

	if (length > GRPC_SERVICE)
		return -ENAMETOOLONG;
	if (length > 0) {
		*at++ = FIELD_SERVICE << 3 | WIRE_BYTES;
		if (length > 0x7f)
			*at++ = (uint8_t)(length | 0x80);
		*at++ = (uint8_t)(length > 0x7f ? length >> 7 : length);
		memcpy(at, service, length);
		at += length;
	}
	size_t size = (size_t)(at - buffer) - GRPC_PREFIX;
	memset(buffer, 0, GRPC_PREFIX);
	buffer[3] = (uint8_t)(size >> 8);
	buffer[4] = (uint8_t)size;
	return (int)size + GRPC_PREFIX;
}

static bool read_varint(struct reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		uint8_t byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct reader *reader, uint64_t size)
{
	if (size > (uint64_t)(reader->end - reader->at))
		return false;
	reader->at += size;
	return true;
}

/* The value of a field: of a varint itself, else 0. */
static bool read_field(struct reader *reader, unsigned wire, uint64_t *ret_value)
{
	uint64_t size;

	*ret_value = 0;
	switch (wire) {
	case WIRE_VARINT:
		return read_varint(reader, ret_value);
	case WIRE_64:
		return skip(reader, 8);
	case WIRE_32:
		return skip(reader, 4);
	case WIRE_BYTES:
		return read_varint(reader, &size) && skip(reader, size);
	default:
		return false;
	}
}

int grpc_response(const uint8_t *bytes, size_t size, int32_t *ret_status)
{
	struct reader reader = {bytes + GRPC_PREFIX, bytes + size};
	int32_t status = 0;
	uint64_t key, value;

	if (size < GRPC_PREFIX || bytes[0] != 0) /* no compression was agreed upon */
		return -EPROTO;
	uint32_t length = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 |
			  (uint32_t)bytes[3] << 8 | bytes[4];
	if (length != size - GRPC_PREFIX)
		return -EPROTO;
	while (reader.at < reader.end) {
		if (!read_varint(&reader, &key) || !read_field(&reader, key & 7, &value))
			return -EPROTO;
		if (key == (FIELD_STATUS << 3 | WIRE_VARINT))
			status = (int32_t)value;
	}
	*ret_status = status;
	return 0;
}
