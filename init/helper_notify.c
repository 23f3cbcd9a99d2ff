/* The socket that services notify on (sd_notify(3)). */
#include "init/helper_run.h"

#include "init/log.h"
#include "init/notify.h"
#include "init/sinit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATAGRAMS = 64 }; /* that are read in one turn */

void helpers_open_notify(struct sinit *sinit)
{
	struct helpers *h = &sinit->helpers;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct text path;
	int fd, yes = 1;

	text_init(&path, h->notify, sizeof(h->notify));
	text_addf(&path, "%s/notify", sinit->options.run_dir);
	if (sinit->rundir_fd < 0 || path.cut || path.used >= sizeof(address.sun_path)) {
		h->notify[0] = '\0';
		return;
	}
	memcpy(address.sun_path, h->notify, path.used + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unlink(h->notify);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0) {
		log_warning(NULL, "%s: %s; services cannot notify", h->notify, strerror(errno));
		h->notify[0] = '\0';
		if (fd >= 0)
			close(fd);
		return;
	}
	/* Services run as any user; who it was is the kernel's word. */
	chmod(h->notify, 0666);
	h->notify_fd = fd;
}

/* The kernel puts the credentials first; for anything else there is no room. */
static pid_t sender_of(const struct msghdr *header)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(header);
	struct ucred credentials;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
	return credentials.pid;
}

void helpers_notifications(struct sinit *sinit)
{
	char datagram[NOTIFY_SIZE];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];

	for (unsigned i = 0; sinit->helpers.notify_fd >= 0 && i < DATAGRAMS; i++) {
		struct iovec io = {datagram, sizeof(datagram)};
		struct msghdr header = {.msg_iov = &io,
		    .msg_iovlen = 1,
		    .msg_control = control,
		    .msg_controllen = sizeof(control)};
		ssize_t size =
		    recvmsg(sinit->helpers.notify_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct notification notification;
		pid_t sender;

		if (size < 0)
			return;
		sender = sender_of(&header);
		if (sender <= 1 || header.msg_flags & MSG_TRUNC)
			continue;
		notify_parse(datagram, (size_t)size, &notification);
		supervisor_notify(&sinit->supervisor, sender, datagram, &notification);
	}
}
