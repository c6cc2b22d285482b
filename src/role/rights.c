/* SPDX-License-Identifier: ISC */
/* rights - see rights.h; capabilities(7). */
#include "role/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf_set.h"
#include "role/limits.h"

static const struct log_ctx rights_log = { LOG_ROLE, 0 };

/* Who. */

static int find_user(const struct conf *c, struct passwd **pw_r,
                     struct err_detail *detail)
{
	errno = 0;
	*pw_r = getpwnam(c->process_user);
	if (*pw_r != NULL)
		return ERR_OK;
	if (errno != 0 && errno != ENOENT && errno != ESRCH)
		return err_set(detail, ERR_INVALID,
		               "process.user: %s cannot be looked up: %s",
		               c->process_user, strerror(errno));
	return err_set(detail, ERR_INVALID,
	               "process.user: this machine has no user %s: add it, "
	               "name another, or run as root with -o "
	               "process.user=root",
	               c->process_user);
}

static int find_group(const struct conf *c, gid_t *group_r,
                      struct err_detail *detail)
{
	const struct group *gr;

	if (c->process_group == NULL)
		return ERR_OK;
	gr = getgrnam(c->process_group);
	if (gr == NULL)
		return err_set(detail, ERR_INVALID,
		               "process.group: this machine has no group %s",
		               c->process_group);
	*group_r = gr->gr_gid;
	return ERR_OK;
}

/* find_groups: whoever calls it grows the array until all fit. */
static void find_groups(struct rights *r)
{
	int count = 16;

	do {
		r->groups =
			xrealloc(r->groups, (size_t)count, sizeof(*r->groups));
		r->count = (size_t)count;
	} while (getgrouplist(r->name, r->group, r->groups, &count) < 0 &&
	         (size_t)count > r->count);
	r->count = (size_t)count;
}

/* say_in_vain: who is not root stays who it is. */
static void say_in_vain(const struct conf *c)
{
	const struct passwd *pw = getpwnam(c->process_user);

	if (strcmp(conf_origin(c, "process.user"), "default") != 0 &&
	    (pw == NULL || pw->pw_uid != geteuid()))
		log_warn(&rights_log,
		         "process.user = %s is not used: only root can become "
		         "another, and this is user %u",
		         c->process_user, (unsigned)geteuid());
}

int rights_find(const struct conf *c, struct rights *r_r,
                struct err_detail *detail)
{
	struct rights r = { .name = c->process_user };
	struct passwd *pw;
	int rc;

	*r_r = r;
	if (geteuid() != 0) {
		say_in_vain(c);
		return ERR_OK;
	}
	rc = find_user(c, &pw, detail);
	if (rc != ERR_OK)
		return rc;
	if (pw->pw_uid == 0) {
		log_warn(&rights_log,
		         "process.user = %s: what strangers send is read with "
		         "all rights",
		         c->process_user);
		return ERR_OK;
	}
	r.is_change = true;
	r.user = pw->pw_uid;
	r.group = pw->pw_gid;
	rc = find_group(c, &r.group, detail);
	if (rc != ERR_OK)
		return rc;
	find_groups(&r);
	*r_r = r;
	return ERR_OK;
}

void rights_done(struct rights *r)
{
	free(r->groups);
	*r = (struct rights){ 0 };
}

/* The state. */

void rights_make_state(const struct conf *c, const struct rights *r)
{
	int fd;

	if (mkdir(c->state_dir, 0700) != 0 || !r->is_change)
		return;
	/* Whoever may write the folder above could put a link there now. */
	fd = open(c->state_dir,
	          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, r->user, r->group) != 0)
		log_error(&rights_log, "%s cannot be given to %s: %s",
		          c->state_dir, r->name, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

bool rights_would_make_store(const struct conf *c)
{
	size_t len = strlen(c->state_dir);
	const char *path = c->store_path;

	return strncmp(path, c->state_dir, len) == 0 &&
	       strrchr(path, '/') == path + len &&
	       mkdir(c->state_dir, 0700) == 0 && rmdir(c->state_dir) == 0;
}

static bool is_foreign(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid != geteuid() &&
	       faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0;
}

int rights_check_state(const struct conf *c, const struct rights *r,
                       struct err_detail *detail)
{
	const char *const paths[] = { c->state_dir, c->store_path };

	if (!r->is_change)
		return ERR_OK;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (is_foreign(paths[i]))
			return err_set(detail, ERR_PERMISSION,
			               "process.user: %s is not %s's, who must "
			               "write it: chown -R %s %s",
			               paths[i], r->name, r->name,
			               c->state_dir);
	return ERR_OK;
}

void rights_say_foreign(const struct conf *c, const struct rights *r)
{
	struct err_detail why;

	if (rights_check_state(c, r, &why) != ERR_OK)
		log_error(&rights_log, "%s", why.text);
}

/* For good. */

static bool become(const struct rights *r)
{
	return setgroups(r->count, r->groups) == 0 &&
	       setresgid(r->group, r->group, r->group) == 0 &&
	       setresuid(r->user, r->user, r->user) == 0;
}

/* has_way_back tries to be what it was. */
static bool has_way_back(const struct rights *r)
{
	uid_t real;
	uid_t effective;
	uid_t saved;

	return getresuid(&real, &effective, &saved) != 0 || real != r->user ||
	       effective != r->user || saved != r->user || setuid(0) == 0 ||
	       seteuid(0) == 0 || (r->group != 0 && setgid(0) == 0);
}

/* drop_capabilities: those of a service that is not started as root. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	/* Ambient ones go with those that are permitted. */
	return syscall(SYS_capset, &header, sets) == 0;
}

static int drop_all(const struct rights *r)
{
	if (r->is_change && (!become(r) || has_way_back(r)))
		return -1;
	if (geteuid() != 0 && !drop_capabilities())
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int rights_drop(const struct rights *r, struct err_detail *detail)
{
	int parent_dies = 0;

	/* Linux forgets it with the user. */
	(void)prctl(PR_GET_PDEATHSIG, &parent_dies);
	if (drop_all(r) != 0)
		return err_set(detail, ERR_PERMISSION,
		               "process.user: cannot become %s for good: %s",
		               r->name, strerror(errno));
	(void)prctl(PR_SET_PDEATHSIG, parent_dies);
	limits_no_core();
	return ERR_OK;
}
