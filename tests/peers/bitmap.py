"""As much of the package "bitmap" as tini's suite uses: which bits of a number are set.

Those of real-time signals are left out: the suite looks at none of them, but would print the
names of all, and the C library's own (32 and 33), which make may leave ignored, have none."""

BITS = 31


class BitMap:
    def __init__(self, bits):
        self.bits = bits

    @classmethod
    def fromstring(cls, digits):
        """From binary digits, the highest first."""
        return cls([n for n, digit in enumerate(reversed(digits)) if digit == "1" and n < BITS])

    def nonzero(self):
        return self.bits
