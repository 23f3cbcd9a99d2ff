/* Has the kernel load another one, as kexec -l would: kexec KERNEL INITRAMFS WORDS
 * (kexec_file_load(2)). */
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int kernel, initramfs;

	if (argc != 4)
		errx(2, "usage: kexec KERNEL INITRAMFS WORDS");
	kernel = open(argv[1], O_RDONLY);
	initramfs = open(argv[2], O_RDONLY);
	if (kernel < 0 || initramfs < 0)
		err(1, "open");
	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1, argv[3], 0UL) < 0)
		err(1, "kexec_file_load");
	return 0;
}
