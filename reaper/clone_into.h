/* clone3(2) with CLONE_INTO_CGROUP (Linux 5.7): a child that is born in another cgroup. Moving
 * one later takes a lock for which all of the machine's forks wait.
 *
 * The C library has no function for it, since a child with a stack of its own cannot return
 * from one. Where there is no code for the machine, -ENOSYS.
 * Owns nothing. May call: nothing. */
#ifndef SINIT_REAPER_CLONE_INTO_H
#define SINIT_REAPER_CLONE_INTO_H

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#define CLONE_TO_CGROUP UINT64_C(0x200000000) /* CLONE_INTO_CGROUP */

struct clone_request { /* the kernel's struct clone_args */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
	    set_tid_size, cgroup;
};

/* The child calls main(argument) on the request's stack and exits with what that returns.
 * Returns its pid, or -errno. */
static inline long clone_request(
    const struct clone_request *request, int (*main)(void *), void *argument)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	long result;
	register long r8 __asm__("r8") = (long)main;
	register long r9 __asm__("r9") = (long)argument;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r9, %%rdi\n\t"
			 "call *%%r8\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov $60, %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone3), "D"(request), "S"(sizeof(*request)), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory", "cc");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)request;
	register long x1 __asm__("x1") = sizeof(*request);
	register long x9 __asm__("x9") = (long)main;
	register long x10 __asm__("x10") = (long)argument;
	__asm__ volatile("svc 0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x10\n\t"
			 "blr x9\n\t"
			 "mov x8, 93\n\t"
			 "svc 0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
			 : "memory", "cc");
	return x0;
#elif defined(__arm__) && defined(__ARM_EABI__)
	long kept; /* of r7, see init/raw_syscall.h */
	register long r0 __asm__("r0") = (long)request;
	register long r1 __asm__("r1") = sizeof(*request);
	register long r4 __asm__("r4") = (long)main;
	register long r5 __asm__("r5") = (long)argument;
	__asm__ volatile("mov %[kept], r7\n\t"
			 "mov r7, %[number]\n\t"
			 "svc 0\n\t"
			 "cmp r0, #0\n\t"
			 "bne 1f\n\t"
			 "mov r0, r5\n\t"
			 "blx r4\n\t"
			 "mov r7, #1\n\t"
			 "svc 0\n"
			 "1:\n\t"
			 "mov r7, %[kept]"
			 : "+r"(r0), [kept] "=&r"(kept)
			 : [number] "r"((long)SYS_clone3), "r"(r1), "r"(r4), "r"(r5)
			 : "memory", "cc");
	return r0;
#elif defined(__riscv) && __riscv_xlen == 64
	register long a7 __asm__("a7") = SYS_clone3;
	register long a0 __asm__("a0") = (long)request;
	register long a1 __asm__("a1") = sizeof(*request);
	register long a2 __asm__("a2") = (long)main;
	register long a3 __asm__("a3") = (long)argument;
	__asm__ volatile("ecall\n\t"
			 "bnez a0, 1f\n\t"
			 "mv a0, a3\n\t"
			 "jalr a2\n\t"
			 "li a7, 93\n\t"
			 "ecall\n"
			 "1:"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3)
			 : "memory");
	return a0;
#else
	(void)request;
	(void)main;
	(void)argument;
	return -ENOSYS;
#endif
}

#endif
