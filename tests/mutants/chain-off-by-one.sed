# src/ioctl/ioctl_vfio.c: a chain is written past the end of a buffer
s/if (\*argsz < start + c.len)/if (*argsz + 1 < start + c.len)/
