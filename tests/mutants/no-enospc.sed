# src/ioctl/ioctl_2011.c: a path that does not fit is cut instead of refused
s/return -ENOSPC;/size = room;/
