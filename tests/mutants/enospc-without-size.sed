# src/ioctl/ioctl_2011.c: ENOSPC does not say how much is needed
s/ || ret == -ENOSPC//
