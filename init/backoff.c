#include "init/backoff.h"

uint32_t backoff_delay(uint32_t first, uint32_t multiplier, uint32_t most, uint32_t n)
{
	uint64_t delay = first;

	for (uint32_t i = 1; i < n && delay && delay < most; i++) {
		uint64_t longer = delay * multiplier / 1000;

		if (longer <= delay)
			break; /* a multiplier of 1, or too little to show: it stays as it is */
		delay = longer;
	}
	return (uint32_t)(delay < most ? delay : most);
}
