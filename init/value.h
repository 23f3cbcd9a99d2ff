/* Values of the configuration: text to number.
 *
 * Pure: owns nothing, calls base only. Each function takes the whole of a string (no blanks
 * around it) and returns 0, -EINVAL (it is no such value) or
 * -ERANGE (too large for the type). */
#ifndef SINIT_INIT_VALUE_H
#define SINIT_INIT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

/* yes, no, true, false, on, off, 1, 0. */
int value_bool(const char *string, uint32_t *ret_value);

/* 250ms, 10s, 5m, 1h; a bare number is seconds. Result in milliseconds. */
int value_duration(const char *string, uint32_t *ret_ms);

/* 4096, 64K, 64M, 1G, 1T (powers of 1024); max and unlimited are UINT64_MAX. */
int value_size(const char *string, uint64_t *ret_value);

/* SOFT or SOFT:HARD, each a size; SOFT alone is both. -EDOM: soft is above hard. */
int value_limit(const char *string, uint64_t *ret_soft, uint64_t *ret_hard);

/* A decimal integer with an optional sign. */
int value_int(const char *string, int32_t *ret_value);

/* Octal digits, as umask(1) takes them. */
int value_octal(const char *string, uint32_t *ret_value);

/* 2 or 1.5, up to three decimals. Result in thousandths. */
int value_factor(const char *string, uint32_t *ret_thousandths);

/* 10% or 10. */
int value_percent(const char *string, uint32_t *ret_value);

/* Adds a duration (ms), a size, a factor as they would be written. */
void value_print_duration(struct text *text, uint32_t ms);
void value_print_size(struct text *text, uint64_t value);
void value_print_factor(struct text *text, uint32_t thousandths);

/* Number of slips of the pen (a character too many, missing, wrong, or two exchanged)
 * between two words; anything above `most` (at most 8) is most + 1. */
unsigned value_distance(const char *a, const char *b, unsigned most);

/* The number of slips at which a word is still taken for a misspelt one. */
unsigned value_slips(const char *word);

/* Looks whether `candidate` is nearer to `word` than *best slips: if so, it becomes *nearest
 * and *best is its distance. Of equally near ones that of equal length is taken. Begin with
 * *best = value_slips(word) + 1 and *nearest = NULL. */
void value_nearer(const char *word, const char *candidate, unsigned *best, const char **nearest);

#endif
