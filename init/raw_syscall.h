/* System calls without the C library: no errno, no cancellation, no locks, so that a
 * child which shares its parent's memory (clone with CLONE_VM) may make them.
 *
 * Each returns what the kernel returns: a result, or -errno. The calling conventions are
 * those of syscall(2), "Architecture calling conventions". On a machine without a row
 * here syscall(2) is used, which writes errno of the memory it shares: the parent, which
 * sleeps meanwhile, must then not rely on errno across the birth.
 *
 * Arguments of 64 bits are not for this interface: 32-bit machines split them, each in
 * its own way.
 */
#ifndef SINIT_RAW_SYSCALL_H
#define SINIT_RAW_SYSCALL_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What getdents64(2) gives, its struct linux_dirent64: no header declares that. */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length; /* bytes from here to the next one */
	uint8_t type;
	char name[];
};

#if defined(__x86_64__) && !defined(__ILP32__)

static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

#elif defined(__arm__) && defined(__ARM_EABI__)

/* r7 may be the frame pointer (Thumb), which the compiler will not lend: the number
 * goes through another register and r7 is put back. */
static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	long kept;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;
	__asm__ volatile("mov %[kept], r7\n\t"
			 "mov r7, %[number]\n\t"
			 "svc 0\n\t"
			 "mov r7, %[kept]"
			 : "+r"(r0), [kept] "=&r"(kept)
			 : [number] "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory", "cc");
	return r0;
}

#elif defined(__riscv) && __riscv_xlen == 64

static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long a7 __asm__("a7") = number;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;
	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}

#else

static inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(number, a, b, c, d, e, f);
	return result == -1 ? -(long)errno : result;
}

#endif

static inline long raw_syscall3(long number, long a, long b, long c)
{
	return raw_syscall6(number, a, b, c, 0, 0, 0);
}

static inline long raw_syscall4(long number, long a, long b, long c, long d)
{
	return raw_syscall6(number, a, b, c, d, 0, 0);
}

#endif
