/* SPDX-License-Identifier: ISC */
/*
 * sandbox_files - Landlock (Linux 5.13): rights by folder, for what is opened
 * from now on. libc has no functions for it.
 *
 * A folder's rule holds for all below it, a file's rule for the file that has
 * the name now: so folders are named wherever a file may be replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "process/sandbox_impl.h"

#ifdef HAVE_LANDLOCK
#	include <linux/landlock.h>
#endif

#if defined(HAVE_LANDLOCK) && defined(SYS_landlock_create_ruleset)

/* Of later kernels than the headers may be. */
#	ifndef LANDLOCK_ACCESS_FS_REFER
#		define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#	endif
#	ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#		define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#	endif

/* What version 1 knows; 2 and 3 each added one. */
#	define KNOWN_1 (LANDLOCK_ACCESS_FS_REFER - 1)
#	define OF_FILES                        \
		(LANDLOCK_ACCESS_FS_READ_FILE | \
		 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#	define READ \
		(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#	define WRITE                                            \
		(READ | OF_FILES | LANDLOCK_ACCESS_FS_MAKE_REG | \
		 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/*
 * What is opened besides what the configuration names: the authorities that TLS
 * looks up when it meets them, the zone for syslog. Neither /etc nor /usr as a
 * whole: keys may lie there.
 */
static const char *const of_tls[] = {
	"/etc/ssl/certs",
	"/etc/ssl/cert.pem",
	"/etc/pki/ca-trust",
	"/etc/pki/tls/certs",
	"/etc/ca-certificates",
	"/usr/lib/ssl/cert.pem",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/share/pki",
	"/etc/localtime",
	"/usr/share/zoneinfo",
	"/dev/null",
	"/dev/urandom",
	NULL,
};

/* Names are looked up as the machine does it: by modules that are loaded when
 * they are needed, which read files that may be replaced at any time. */
static const char *const of_names[] = {
	"/etc", "/usr", "/lib",      "/lib32",       "/lib64",
	"/run", "/sys", "/dev/null", "/dev/urandom", NULL,
};

static const char *const none[] = { NULL };

static const char *const *const of_roles[] = {
	[SANDBOX_WORKER] = of_tls,
	[SANDBOX_NAMES] = of_names,
	[SANDBOX_PUSH] = of_tls,
	[SANDBOX_STATUS] = none,
};

struct ruleset {
	int fd;
	uint64_t known;
};

/* add has |path| opened for what |access| says. Results: 0; ERR_NOT_FOUND;
 * ERR_IO. */
static int add(const struct ruleset *r, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access & r->known,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	struct stat st;
	int rc = ERR_IO;

	if (rule.parent_fd < 0)
		return ERR_NOT_FOUND;
	if (fstat(rule.parent_fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			rule.allowed_access &= OF_FILES;
		if (syscall(SYS_landlock_add_rule, r->fd,
		            LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
			rc = ERR_OK;
	}
	(void)close(rule.parent_fd);
	return rc;
}

/* add_all has each of |paths| read, those that there are. */
static int add_all(const struct ruleset *r, const char *const *paths)
{
	int rc = ERR_OK;

	for (; *paths != NULL && rc != ERR_IO; paths++)
		rc = add(r, *paths, READ);
	return rc == ERR_IO ? rc : ERR_OK;
}

/* add_writable: what is absent may be made in the folder that is there, but
 * never anywhere. */
static int add_writable(const struct ruleset *r, const char *path)
{
	char *folder = xstrdup(path);
	char *slash;
	int rc;

	while ((rc = add(r, folder, WRITE)) == ERR_NOT_FOUND) {
		slash = strrchr(folder, '/');
		if (slash == NULL || slash == folder)
			break;
		*slash = 0;
	}
	free(folder);
	return rc;
}

static int add_paths(const struct ruleset *r, enum sandbox_role role,
                     const struct sandbox_paths *p)
{
	int rc = add_all(r, of_roles[role]);

	for (size_t i = 0; i < p->read_count && rc != ERR_IO; i++)
		rc = add(r, p->read[i], READ);
	for (size_t i = 0; i < p->write_count && rc != ERR_IO; i++)
		rc = add_writable(r, p->write[i]);
	return rc == ERR_IO ? rc : ERR_OK;
}

static uint64_t known_of(long version)
{
	uint64_t known = KNOWN_1;

	if (version >= 2)
		known |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		known |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return known;
}

int sandbox_files(enum sandbox_role role, const struct sandbox_paths *paths,
                  struct err_detail *detail)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	                       LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs =
		                                      known_of(version) };
	struct ruleset r = { .known = attr.handled_access_fs };
	int rc = ERR_IO;

	if (version < 1)
		return err_set(detail, ERR_UNAVAILABLE,
		               "this kernel has no Landlock: files are not "
		               "kept apart");
	r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr,
	                    sizeof(attr.handled_access_fs), 0);
	if (r.fd >= 0) {
		rc = add_paths(&r, role, paths);
		if (rc == ERR_OK &&
		    syscall(SYS_landlock_restrict_self, r.fd, 0) != 0)
			rc = ERR_IO;
	}
	if (rc != ERR_OK)
		rc = err_set(detail, ERR_UNAVAILABLE,
		             "Landlock fails, files are not kept apart: %s",
		             strerror(errno));
	if (r.fd >= 0)
		(void)close(r.fd);
	return rc;
}

#else

int sandbox_files(enum sandbox_role role, const struct sandbox_paths *paths,
                  struct err_detail *detail)
{
	(void)role;
	(void)paths;
	return err_set(detail, ERR_UNAVAILABLE,
	               "built without Landlock: files are not kept apart");
}

#endif
