# src/ioctl/ioctl_2011.c: a buffer that lacks one byte is taken
s/if (room < size)/if (room + 1 < size)/
