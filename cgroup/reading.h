/* Texts of the kernel's files about a cgroup, parsed into a reading
 * (Documentation/admin-guide/cgroup-v2.rst, Documentation/accounting/psi.rst).
 *
 * Each function takes a whole file as text and passes over what it does not know: later
 * kernels add lines. Pure: owns nothing. May call: base. */
#ifndef SINIT_CGROUP_READING_H
#define SINIT_CGROUP_READING_H

#include <stdbool.h>
#include <stdint.h>

/* One number, or "max": UINT64_MAX. False: neither. */
bool reading_number(const char *text, uint64_t *ret);

/* The number behind `key` in lines of "KEY NUMBER". False: there is no such line. */
bool reading_keyed(const char *text, const char *key, uint64_t *ret);

/* The `some` line of a PSI file: avg10 in hundredths of a percent, total in us. */
bool reading_pressure(const char *text, uint32_t *ret_avg10, uint64_t *ret_total);

/* io.stat: bytes read and written, over all devices. */
void reading_io(const char *text, uint64_t *ret_read, uint64_t *ret_written);

#endif
