/* grpc: grpc.health.v1.Health/Check over HTTP/2 in the clear, without asking for it first
 * ("prior knowledge", RFC 9113, 3.3), as every gRPC server without TLS speaks it. */
#include "probes/grpc_message.h"
#include "probes/prober.h"
#include "probes/prober_message.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ANSWER = 65536, /* bytes that an answer may have, all in all */
	OK = 200,
	UNKNOWN = -1,
	CHUNK = 16384, /* read at a time */
};

/* --- what nghttp2 calls ------------------------------------------------------------- */

static struct grpc_talk *talk_of(void *context)
{
	return &((struct check *)context)->talk.grpc;
}

static ssize_t on_send(
    nghttp2_session *session, const uint8_t *bytes, size_t size, int flags, void *context)
{
	const struct check *check = context;
	ssize_t sent = send(check->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)session;
	(void)flags;
	if (sent >= 0)
		return sent;
	return errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t on_request(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *context)
{
	const struct check *check = context;
	const char *service = prober_text(check->begin, probe_target(check)->service);
	int used;

	(void)session;
	(void)stream;
	(void)source;
	if (size < GRPC_REQUEST) /* a window this small is nobody's */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	used = grpc_request(service, buffer);
	*flags = NGHTTP2_DATA_FLAG_EOF;
	return used < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : used;
}

/* A number of at most three digits, as statuses are. UNKNOWN: something else. */
static int32_t small_number(const uint8_t *digits, size_t length)
{
	int32_t number = 0;

	if (length < 1 || length > 3)
		return UNKNOWN;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return UNKNOWN;
		number = number * 10 + digits[i] - '0';
	}
	return number;
}

static bool equals(const char *name, const uint8_t *bytes, size_t length)
{
	return length == strlen(name) && memcmp(bytes, name, length) == 0;
}

/* Headers and trailers alike: an answer without a message has the status in the former. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
	struct grpc_talk *grpc = talk_of(context);

	(void)session;
	(void)frame;
	(void)flags;
	if (equals(":status", name, name_length))
		grpc->http_status = small_number(value, value_length);
	else if (equals("grpc-status", name, name_length))
		grpc->grpc_status = small_number(value, value_length);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
    size_t size, void *context)
{
	struct grpc_talk *grpc = talk_of(context);

	(void)session;
	(void)flags;
	(void)stream;
	if (size > sizeof(grpc->message) - grpc->size)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(grpc->message + grpc->size, bytes, size);
	grpc->size = (uint8_t)(grpc->size + size);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
	(void)session;
	(void)stream;
	(void)error;
	talk_of(context)->closed = true;
	return 0;
}

/* --- a session ---------------------------------------------------------------------- */

static int open_session(struct check *check)
{
	struct grpc_talk *grpc = &check->talk.grpc;
	nghttp2_session_callbacks *callbacks;

	*grpc = (struct grpc_talk){.grpc_status = UNKNOWN};
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	int rc = nghttp2_session_client_new(&grpc->session, callbacks, check);
	nghttp2_session_callbacks_del(callbacks);
	return rc == 0 ? 0 : -ENOMEM;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
	    .value = (uint8_t *)(uintptr_t)value,
	    .namelen = strlen(name),
	    .valuelen = strlen(value)};
}

static int submit(const struct check *check)
{
	static const nghttp2_settings_entry no_push = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	nghttp2_session *session = check->talk.grpc.session;
	const nghttp2_data_provider body = {.read_callback = on_request};
	const char *host = prober_text(check->begin, probe_target(check)->host);
	char buffer[512];
	struct text authority;

	text_init(&authority, buffer, sizeof(buffer));
	text_addf(
	    &authority, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, probe_target(check)->port);
	const nghttp2_nv headers[] = {
	    header(":method", "POST"),
	    header(":scheme", "http"),
	    header(":path", "/grpc.health.v1.Health/Check"),
	    header(":authority", authority.data),
	    header("te", "trailers"),
	    header("content-type", "application/grpc"),
	    header("user-agent", "sinit/" SINIT_VERSION),
	};
	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &no_push, 1) != 0)
		return -ENOMEM;
	return nghttp2_submit_request(session, NULL, headers, ARRAY_LEN(headers), &body, NULL) < 0
		   ? -ENOMEM
		   : 0;
}

/* --- a talk ------------------------------------------------------------------------- */

static enum talk over(struct probe_outcome *ret, enum probe_fault fault, int32_t detail)
{
	*ret = (struct probe_outcome){fault, detail};
	return TALK_OVER;
}

static enum talk judge(const struct grpc_talk *grpc, struct probe_outcome *ret)
{
	int32_t serving;

	if (grpc->http_status != OK && grpc->http_status > 0)
		return over(ret, FAULT_STATUS, grpc->http_status);
	if (grpc->grpc_status > 0)
		return over(ret, FAULT_GRPC_STATUS, grpc->grpc_status);
	if (grpc->grpc_status == UNKNOWN || grpc_response(grpc->message, grpc->size, &serving) < 0)
		return over(ret, FAULT_PROTOCOL, 0);
	return serving == GRPC_SERVING ? over(ret, FAULT_NONE, 0)
				       : over(ret, FAULT_GRPC_SERVING, serving);
}

static bool writes(const struct check *check)
{
	return nghttp2_session_want_write(check->talk.grpc.session);
}

static enum talk write_some(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	(void)prober;
	return nghttp2_session_send(check->talk.grpc.session) == 0 ? TALK_GOES_ON
								   : probe_closed(ret, errno);
}

static enum talk start(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	int rc = open_session(check);

	if (rc == 0)
		rc = submit(check);
	if (rc < 0)
		return over(ret, FAULT_INTERNAL, -rc);
	return write_some(prober, check, ret);
}

static enum talk read_some(struct prober *prober, struct check *check, struct probe_outcome *ret)
{
	struct grpc_talk *grpc = &check->talk.grpc;
	const uint8_t *bytes = (const uint8_t *)prober->buffer.bytes;
	ssize_t size = recv(check->fd, prober->buffer.bytes, CHUNK, MSG_DONTWAIT), used;

	if (size < 0 && errno == EAGAIN)
		return TALK_GOES_ON;
	if (size <= 0)
		return probe_closed(ret, size < 0 ? errno : 0);
	used = nghttp2_session_mem_recv(grpc->session, bytes, (size_t)size);
	grpc->received += (uint32_t)size;
	if (grpc->closed)
		return judge(grpc, ret);
	if (used == NGHTTP2_ERR_NOMEM)
		return over(ret, FAULT_INTERNAL, ENOMEM);
	if (used < 0)
		return over(ret, FAULT_PROTOCOL, 0);
	if (grpc->received > ANSWER)
		return over(ret, FAULT_TOO_LONG, ANSWER);
	/* What HTTP/2 itself has to say; after a farewell it wants no more. */
	enum talk talk = write_some(prober, check, ret);
	if (!nghttp2_session_want_read(grpc->session))
		return over(ret, FAULT_PROTOCOL, 0);
	return talk;
}

static void stop(struct check *check)
{
	nghttp2_session_del(check->talk.grpc.session);
	check->talk.grpc.session = NULL;
}

const struct protocol grpc_protocol = {
    .start = start,
    .read = read_some,
    .write = write_some,
    .writes = writes,
    .stop = stop,
};
