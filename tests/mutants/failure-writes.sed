# src/ioctl/ioctl_2011.c: a failed call changes its argument
s/(ret >= 0 || ret == -ENOSPC) \&\& //
