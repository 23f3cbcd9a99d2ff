/* sinitctl: asks and tells a running sinit. */
#include "ctl/ctl.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	static struct out out;
	struct style style = style_of(STDOUT_FILENO);

	out_init(&out, STDOUT_FILENO);
	return ctl_main(argc, argv, &out, &style);
}
