/* The floor of the benchmark `page`: the least that a server must do if it reads the file for each request.
 *
 * One thread. Per request seven system calls: epoll_wait, read (the request), openat, fstat, read (the whole
 * file), close, writev (head and body). It checks nothing: do not use it as a server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char request[16384], body[1 << 20], head[256];

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void write_all(int fd, struct iovec *parts)
{
	while (parts[0].iov_len + parts[1].iov_len > 0) {
		ssize_t n = writev(fd, parts, 2);
		if (n < 0)
			return;
		for (int i = 0; i < 2; i++) {
			size_t sent = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
			parts[i].iov_base = (char *)parts[i].iov_base + sent;
			parts[i].iov_len -= sent;
			n -= sent;
		}
	}
}

static void answer(int fd, int dir)
{
	/* The load sends each request in one piece. */
	ssize_t n = read(fd, request, sizeof request - 1);
	if (n <= 0) {
		close(fd);
		return;
	}
	request[n] = 0;
	char *path = strchr(request, '/') + 1;
	*strchr(path, ' ') = 0;
	int file = openat(dir, path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	check(file >= 0 && fstat(file, &st) == 0, path);
	ssize_t length = read(file, body, st.st_size < (off_t)sizeof body ? (size_t)st.st_size : sizeof body);
	close(file);
	check(length == st.st_size, path);
	int head_length = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zd\r\n\r\n", length);
	struct iovec parts[2] = {{head, head_length}, {body, length}};
	write_all(fd, parts);
}

int main(int argc, char **argv)
{
	check(argc == 2, "one argument: the folder");
	int dir = open(argv[1], O_PATH | O_DIRECTORY);
	check(dir >= 0, argv[1]);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	check(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
	check(listen(listener, 128) == 0, "listen");
	check(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
	printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
	fflush(stdout);
	int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[64];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, ready, 64, -1);
		for (int i = 0; i < n; i++) {
			if (ready[i].data.fd != listener) {
				answer(ready[i].data.fd, dir);
				continue;
			}
			int fd = accept(listener, NULL, NULL);
			check(fd >= 0, "accept");
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			event.data.fd = fd;
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		}
	}
}
