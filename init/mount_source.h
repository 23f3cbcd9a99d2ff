/* From what an fstab calls a device to its path.
 *
 * Owns nothing. Makes system calls. May call: mount_basics, base. */
#ifndef SINIT_INIT_MOUNT_SOURCE_H
#define SINIT_INIT_MOUNT_SOURCE_H

#include "init/base.h"

/* Adds the device of "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=" or "ID=" to *path: by the links
 * of udev or mdev in /dev/disk, or those of a partition by what the kernel says of it in
 * /sys/class/block. Anything else is a path and added as it is. sinit itself reads no file
 * system, so a UUID or LABEL needs the links. 0; -ENODEV: no such device is there. */
int mount_source(const char *source, struct text *path);

#endif
